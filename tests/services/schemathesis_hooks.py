"""What schemathesis cannot know: a bundle is bytes. Its command loads this through SCHEMATHESIS_HOOKS."""

from typing import Any

import schemathesis


@schemathesis.serializer("application/gzip")
def as_bytes(_: Any, value: Any) -> bytes:
    """The generated value as it stands."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
