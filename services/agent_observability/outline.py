"""
Where a JSON body can be cut: at the elements of its long lists and around its long texts.

The body is never parsed into values, for what is stored must be the agent's own bytes: only offsets are
taken. A body that is not JSON gives odd offsets at worst, never wrong bytes: all between the cuts is kept.
"""

import re
from dataclasses import dataclass, field

# One match is a whole text, or a bracket. Texts of any length cost one step of the loop.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_KEY_BEFORE = re.compile(rb"\s*:\s*")
# Lists that grow by their end from call to call, and lists that stay the same.
GROWING = frozenset({b'"messages"', b'"input"'})
STEADY = frozenset({b'"tools"', b'"system"'})
_LISTS = GROWING | STEADY
LONG_TEXT = 512
MOST_TOKENS = 200_000
Span = tuple[int, int]


@dataclass
class Listed:
    """One list of the body's own level: where it lies between its brackets, and its elements."""

    growing: bool
    start: int
    end: int = 0
    elements: list[Span] = field(default_factory=list)


@dataclass
class Outline:
    """The long texts and the lists of a body, in order."""

    texts: list[Span]
    lists: list[Listed]


def outline_of(body: bytes, position: int = 0, inside: Listed | None = None) -> Outline:
    """The places of a body's long texts and lists, from a position on, which may lie within a list."""
    found = Outline([], [])
    if inside is None and _is_plain(body):
        return found
    depth, element = 2 if inside else 0, 0
    key: Span = (0, 0)
    current = inside
    for number, match in enumerate(_TOKEN.finditer(body, position)):
        if number > MOST_TOKENS:
            break
        start, end = match.span()
        character = body[start]
        if character == 0x22:
            if end - start >= LONG_TEXT:
                found.texts.append((start, end))
            elif depth == 1:
                key = (start, end)
        elif character in b"[{":
            depth += 1
            if depth == 2 and current is None and character == 0x5B:
                current = _listed(body, key, start)
            elif depth == 3 and current is not None:
                element = start
        else:
            depth -= 1
            if current is not None and depth == 2:
                current.elements.append((element, end))
            elif current is not None and depth == 1:
                current.end = start
                found.lists.append(current)
                current = None
    return found


def _is_plain(body: bytes) -> bool:
    """Whether a body, most often an answer, has nothing to cut for certain: told without going through it."""
    if b'\\"' in body or any(name in body for name in _LISTS):
        return False
    return max(map(len, body.split(b'"'))) < LONG_TEXT - 2


def _listed(body: bytes, key: Span, bracket: int) -> Listed | None:
    name = body[key[0] : key[1]]
    if name not in GROWING and name not in STEADY:
        return None
    if not _KEY_BEFORE.fullmatch(body, key[1], bracket):
        return None
    return Listed(name in GROWING, bracket + 1)
