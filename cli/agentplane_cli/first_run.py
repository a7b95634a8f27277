"""What the first start adds once everything runs: the administrator, and a demo agent that has run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.embedded.local_platform import LocalPlatform


def finish(platform: LocalPlatform) -> None:
    """Do what only the first start has to do; later ones find it done."""
