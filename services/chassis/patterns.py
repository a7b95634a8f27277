"""
Patterns that users write: regular expressions and globs, matched in time linear in the text (RE2).

RE2 has no look-around and no back-references, which is what makes the promise possible.
"""

import re

import re2

from services.chassis.errors import Invalid

# What one compiled pattern may take; RE2's own default is 8 MiB, and there may be thousands of patterns.
MOST_MEMORY_BYTES = 1024 * 1024


# What makes a pattern depend on where a text begins and ends.
_EDGES = re.compile(r"[\^$]|\\[AzZ]")


class Pattern:
    """A compiled pattern; `edged` when it may ask where the text begins or ends."""

    def __init__(self, expression: str) -> None:
        options = re2.Options()
        options.log_errors = False
        options.max_mem = MOST_MEMORY_BYTES
        try:
            self._compiled = re2.compile(expression, options)
        except re2.error as error:
            raise Invalid(f"{expression!r} is not a regular expression of RE2: {_reason(error)}") from None
        self.edged = _EDGES.search(expression) is not None

    def covers(self, text: str) -> bool:
        """Whether the whole text matches."""
        return self._compiled.fullmatch(_encodable(text)) is not None

    def within(self, text: str) -> bool:
        """Whether some part of the text matches."""
        return self._compiled.search(_encodable(text)) is not None

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where the text matches: start and end, in order."""
        return [match.span() for match in self._compiled.finditer(_encodable(text))]

    def replaced(self, replacement: str, text: str) -> str:
        """The text with every match replaced."""
        found: str = self._compiled.sub(lambda _: replacement, _encodable(text))
        return found


def glob(text: str) -> Pattern:
    """A glob: `*` stands for any characters, `?` for one; everything else for itself."""
    parts = {"*": ".*", "?": "."}
    return Pattern("(?s)" + "".join(parts.get(each) or re2.escape(each) for each in text))


def _encodable(text: str) -> str:
    # JSON can hold half of a surrogate pair, which UTF-8 cannot.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
