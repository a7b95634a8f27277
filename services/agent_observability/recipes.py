"""
Recipes: how a body is put together from literal bytes and from blobs.

A recipe is a row of operations. Each begins with one byte: 0 is followed by a length and that many bytes;
1 to 3 by the 16 bytes of a blob that holds bytes, 4 to 6 by those of a blob that holds a recipe. Within each
three the second puts `,` before it and the third `, `, for these are between almost all elements of a list.
"""

from collections.abc import Callable, Iterable, Iterator

LITERAL, BYTES, RECIPE = 0, 1, 4
HASH_SIZE = 16
_SEPARATORS = (b"", b",", b", ")
_REFERENCES = {
    (kind, separator): bytes([kind + number])
    for kind in (BYTES, RECIPE)
    for number, separator in enumerate(_SEPARATORS)
}


def literal(data: bytes) -> bytes:
    """The operation that stands for these very bytes; nothing for none."""
    return b"\x00" + _length(len(data)) + data if data else b""


def reference(kind: int, digest: bytes, separator: bytes = b"") -> bytes:
    """The operation that stands for a blob, with what separates it from the element before."""
    operation = _REFERENCES.get((kind, separator))
    return operation + digest if operation else literal(separator) + _REFERENCES[kind, b""] + digest


def operations(recipe: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Kind, separator, and the literal bytes or the digest of each operation."""
    position, end = 0, len(recipe)
    while position < end:
        code = recipe[position]
        position += 1
        if code == LITERAL:
            size, position = _read_length(recipe, position)
            yield LITERAL, b"", recipe[position : position + size]
            position += size
        else:
            kind = BYTES if code < RECIPE else RECIPE
            yield kind, _SEPARATORS[code - kind], recipe[position : position + HASH_SIZE]
            position += HASH_SIZE


def digests(recipes: Iterable[bytes]) -> tuple[set[bytes], set[bytes]]:
    """The blobs that recipes name: those of bytes, and those of further recipes."""
    of_bytes: set[bytes] = set()
    of_recipes: set[bytes] = set()
    for recipe in recipes:
        for kind, _, digest in operations(recipe):
            if kind == BYTES:
                of_bytes.add(digest)
            elif kind == RECIPE:
                of_recipes.add(digest)
    return of_bytes, of_recipes


def assembled(recipe: bytes, blob: Callable[[bytes], bytes]) -> bytes:
    """The body that a recipe stands for, given the content of the blobs."""
    parts: list[bytes] = []
    _assemble(recipe, blob, parts)
    return b"".join(parts)


def _assemble(recipe: bytes, blob: Callable[[bytes], bytes], parts: list[bytes]) -> None:
    for kind, separator, data in operations(recipe):
        if kind == LITERAL:
            parts.append(data)
            continue
        parts.append(separator)
        if kind == BYTES:
            parts.append(blob(data))
        else:
            _assemble(blob(data), blob, parts)


def _length(size: int) -> bytes:
    parts = bytearray()
    while size > 127:
        parts.append(size & 127 | 128)
        size >>= 7
    parts.append(size)
    return bytes(parts)


def _read_length(recipe: bytes, position: int) -> tuple[int, int]:
    size = shift = 0
    while True:
        byte = recipe[position]
        position += 1
        size |= (byte & 127) << shift
        if byte < 128:
            return size, position
        shift += 7
