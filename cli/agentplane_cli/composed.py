"""The platform on this machine with every service in a container: `up` and `down` with `--mode compose`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agentplane_cli.checkout import local
from agentplane_cli.terminal import say, styled

if TYPE_CHECKING:
    from services.embedded.compose import ComposePlatform


def up_composed(base_image: str | None) -> None:
    """Build the images, start every container; the first time make the administrator and a demo agent."""
    platform = _platform()
    platform.prepare()
    with _told("images"):
        platform.build(base_image)
    with _told("containers"):
        platform.up()
    url = f"http://localhost:{platform.api_port}"
    _first_start(platform, url)
    say(f"\n  Dashboard   http://localhost:{platform.dashboard_port}\n  API         {url}/docs")
    say("  Logs        docker compose logs -f\n")


def down_composed() -> None:
    """Stop and remove every container; the data stays in its volumes."""
    platform = _platform()
    platform.prepare()
    platform.down()
    say("Stopped.")


@contextmanager
def _told(what: str) -> Iterator[None]:
    began = time.monotonic()
    say(styled(f"… {what}", "dim"))
    yield
    say(f"{styled('✓', 'ok')} {what} after {time.monotonic() - began:.0f} s")


def _first_start(platform: ComposePlatform, url: str) -> None:
    from agentplane_cli.first_run import Administrator, run_demo

    told = json.loads(platform.create_administrator().splitlines()[-1])
    if not told["created"]:
        return
    made_up = not platform.administrator["AGENTPLANE_ADMIN_PASSWORD"]
    administrator = Administrator(told["email"], told["password"], password_is_made_up=made_up)
    say(f"{styled('✓', 'ok')} administrator {administrator.email}")
    if made_up:
        say(f"  password {styled(administrator.password, 'bold')}   (shown only this once)")
    run_demo(url, administrator)


def _platform() -> ComposePlatform:
    root = local()
    from services.embedded.compose import ComposePlatform

    return ComposePlatform(root, os.environ)
