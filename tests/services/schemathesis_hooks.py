"""What schemathesis cannot know. Its command loads this through SCHEMATHESIS_HOOKS."""

from typing import Any

import hypothesis
import schemathesis


@schemathesis.serializer("application/gzip")
def as_bytes(_: Any, value: Any) -> bytes:
    """A bundle is bytes: the generated value as it stands."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def untargeted(observation: float, *, label: str = "") -> float:
    """Every request is as good as another."""
    return observation


# Looking for ever smaller requests that succeed cost two thirds of a run, and sent the same ones again.
hypothesis.target = untargeted
