"""docs/errors.md, made from the error tree: `python -m scaffold.errors` writes it, a test compares it."""

from pathlib import Path

from services.chassis.errors import PROBLEM_TYPE, PlatformError, tree

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "errors.md"

HEAD = f"""\
<!-- Made by `python -m scaffold.errors` from services/chassis/errors.py; do not edit. -->
# Errors

Every failed request is answered with `application/problem+json` (RFC 9457). `code` is stable and is what a
program decides by; `detail` is a sentence for people and names the field or the id; `type` is the code behind
`{PROBLEM_TYPE}`. `errors` lists the fields of a request that could not be accepted.
`retry_after`, and the header `Retry-After`, say in how many seconds to try again; `X-Request-Id` finds the
request in the audit log.

An indented error is a kind of the one above it: whoever understands `conflict` understands `already_exists`.

| code | status | meaning |
|---|---|---|
"""


def document() -> str:
    """The whole document."""
    documented = (error for error in tree() if error.__module__ == PlatformError.__module__)
    return HEAD + "".join(_line(error) for error in documented)


def _line(error: type[PlatformError]) -> str:
    # The tree is walked depth first; the number of ancestors is the depth.
    depth = len(error.__mro__) - len(PlatformError.__mro__)
    indent = "&emsp;" * depth
    meaning = " ".join((error.__doc__ or "").split())
    return f"| {indent}`{error.code}` | {error.status} | {meaning} |\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
