"""
Splitting: a body becomes a recipe, and blobs that other bodies share.

A conversation sends its whole history in every call. Each message becomes a blob that is stored once, a long
text within a message or an answer as well, so that an answer and its repetition in the next request meet. The
list of a conversation's messages is a tree: eight entries make a node, which is a blob itself, so that a step
refers to the nodes that are full and to the few entries after them: references grow with the logarithm of the
conversation. After Merkle's trees; the journal's own figures are in `benchmarks/journal.py`.
"""

from collections.abc import Sequence
from hashlib import blake2b
from uuid import UUID

from services.agent_observability.conversations import Prefix
from services.agent_observability.outline import Listed, Span, outline_of
from services.agent_observability.recipes import BYTES, HASH_SIZE, RECIPE, literal, reference

NODE_ENTRIES = 8
# Below these a blob's own row would cost more than the repetition.
SMALL_BODY = 512
INLINE_ELEMENT = 128
INLINE_STRETCH = 1_024
LONGEST_SEPARATOR = 16


class Splitter:
    """Splits bodies of one organisation; `blobs` gathers what their recipes refer to."""

    def __init__(self, org_id: UUID) -> None:
        self._salted = blake2b(digest_size=HASH_SIZE, key=org_id.bytes)
        self.blobs: dict[bytes, bytes] = {}
        self.prefix: Prefix | None = None

    def split(self, body: bytes, prefix: Prefix | None = None) -> bytes:
        """
        The recipe of a body; `self.prefix` is then where its next repetition may begin.

        What a given prefix refers to is not gathered again.
        """
        self.prefix = None
        if len(body) < SMALL_BODY:
            return literal(body)
        if body[:1] not in b"{[":
            return self.stretch(body)
        cut = _Cut(self, body, prefix if prefix and body.startswith(prefix.data) else None)
        recipe = cut.recipe()
        self.prefix = cut.prefix
        return recipe

    def add(self, kind: int, data: bytes, separator: bytes = b"") -> bytes:
        """A reference to the data, which becomes a blob."""
        # A recipe and a text of the same bytes must not meet.
        hashing = self._salted.copy()
        hashing.update(b"b" if kind == BYTES else b"r")
        hashing.update(data)
        digest = hashing.digest()
        self.blobs[digest] = data
        return reference(kind, digest, separator)

    def stretch(self, data: bytes) -> bytes:
        """Bytes between cuts: literal when few."""
        return literal(data) if len(data) <= INLINE_STRETCH else self.add(BYTES, data)


class _Tree:
    """A growing list's entries: the full nodes of each level, and after them what fills no node yet."""

    def __init__(self, splitter: Splitter, levels: Sequence[Sequence[bytes]]) -> None:
        self._splitter = splitter
        self._levels = [list(level) for level in levels]

    def append(self, entry: bytes) -> None:
        for number in range(len(self._levels) + 1):
            if number == len(self._levels):
                self._levels.append([])
            level = self._levels[number]
            level.append(entry)
            if len(level) < NODE_ENTRIES:
                return
            entry = self._splitter.add(RECIPE, b"".join(level))
            level.clear()

    def recipe(self) -> bytes:
        return b"".join(entry for level in reversed(self._levels) for entry in level)

    def levels(self) -> tuple[tuple[bytes, ...], ...]:
        return tuple(tuple(level) for level in self._levels)


class _Cut:
    """One body under the knife; stretches are taken from left to right, each once."""

    def __init__(self, splitter: Splitter, body: bytes, known: Prefix | None) -> None:
        self._splitter = splitter
        self._body = body
        self._known = known
        self.prefix: Prefix | None = None
        inside = Listed(growing=True, start=known.list_start) if known else None
        outline = outline_of(body, len(known.data) if known else 0, inside)
        self._lists = outline.lists
        # The list that never ends is not one, and the bytes of the prefix are then still to be told.
        self._broken = inside is not None and all(each is not inside for each in outline.lists)
        self._texts = outline.texts
        self._next_text = 0

    def recipe(self) -> bytes:
        if self._broken:
            return self._splitter.stretch(self._body)
        parts, position, known = list[bytes](), 0, self._known
        for listed in self._lists:
            if known and listed is self._lists[0]:
                parts.append(known.before)
            else:
                parts.append(self._stretch(position, listed.start))
            parts.append(self._growing(listed, parts) if listed.growing else self._steady(listed))
            position = listed.end
        parts.append(self._stretch(position, len(self._body)))
        return b"".join(parts)

    def _growing(self, listed: Listed, before: list[bytes]) -> bytes:
        known = self._known if listed is self._lists[0] else None
        tree = _Tree(self._splitter, known.levels if known else ())
        position = len(known.data) if known else listed.start
        for start, end in listed.elements:
            tree.append(self._element(position, start, end))
            position = end
        if self.prefix is None and (listed.elements or known):
            self.prefix = Prefix(self._body[:position], listed.start, b"".join(before), tree.levels())
        return tree.recipe() + self._stretch(position, listed.end)

    def _steady(self, listed: Listed) -> bytes:
        entries: list[bytes] = []
        position = listed.start
        for start, end in listed.elements:
            entries.append(self._element(position, start, end))
            position = end
        whole = b"".join(entries)
        kept = whole if len(whole) <= INLINE_ELEMENT else self._splitter.add(RECIPE, whole)
        return kept + self._stretch(position, listed.end)

    def _element(self, gap: int, start: int, end: int) -> bytes:
        before, separator = b"", self._body[gap:start]
        if len(separator) > LONGEST_SEPARATOR:
            before, separator = self._stretch(gap, start), b""
        texts = self._texts_until(end)
        if not texts:
            data = self._body[start:end]
            if len(data) <= INLINE_ELEMENT:
                return before + literal(separator + data)
            return before + self._splitter.add(BYTES, data, separator)
        pieces = self._around(texts, start, end)
        if len(pieces) <= INLINE_ELEMENT:
            return before + literal(separator) + pieces
        return before + self._splitter.add(RECIPE, pieces, separator)

    def _stretch(self, start: int, end: int) -> bytes:
        return self._around(self._texts_until(end), start, end)

    def _around(self, texts: list[Span], start: int, end: int) -> bytes:
        parts: list[bytes] = []
        for text_start, text_end in texts:
            parts.append(self._splitter.stretch(self._body[start:text_start]))
            parts.append(self._splitter.add(BYTES, self._body[text_start:text_end]))
            start = text_end
        parts.append(self._splitter.stretch(self._body[start:end]))
        return b"".join(parts)

    def _texts_until(self, end: int) -> list[Span]:
        first = self._next_text
        while self._next_text < len(self._texts) and self._texts[self._next_text][1] <= end:
            self._next_text += 1
        return self._texts[first : self._next_text]
