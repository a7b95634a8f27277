"""
Replacing secrets, and what a policy names, by tags.

A tag tells the rule and a keyed hash of what stood there: the same secret has the same tag within an
organisation, so that recorded requests still match, and nobody can guess it from the tag. The built-in rules
work on the bytes, whose other parts stay as they are. A policy's patterns work on the strings of a JSON
document, as its author sees them; a document in which one is found is written anew.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from services.agent_gateway.redaction.secret_rules import SECRETS, TAG, compiled
from services.chassis.patterns import Pattern

POLICY = "policy"
MOST_DEPTH = 250
_RULES = tuple(SECRETS)


class Redacted(NamedTuple):
    """What may be stored, and the rules that replaced something in it."""

    body: bytes
    rules: tuple[str, ...] = ()


class Redactor:
    """Redacts for one installation; the secret keys the tags."""

    def __init__(self, secret: str) -> None:
        self._secret = hashlib.sha256(b"redaction tags\0" + secret.encode()).digest()
        self._secrets = compiled()
        self._tags = re.compile(TAG)

    def body(
        self, org_id: UUID, body: bytes, patterns: Sequence[Pattern] = (), document: Any = None
    ) -> Redacted:
        """A request or an answer without what must not be stored; `document` is the body, if parsed."""
        found: set[str] = set()
        clean = self._plain(org_id, body, found)
        if patterns and clean and not _harmless(clean, document if clean is body else None, patterns):
            clean = self._by_policy(org_id, clean, patterns, found)
        return Redacted(clean, tuple(sorted(found)) if found else ())

    def text(self, org_id: UUID, text: str, patterns: Sequence[Pattern] = ()) -> str:
        """A text that is no document, such as an error's."""
        clean = self._plain(org_id, text.encode("utf-8", "surrogatepass"), set())
        return self._replaced(org_id, clean.decode("utf-8", "replace"), patterns, set())

    def spans(self, org_id: UUID, text: str, patterns: Sequence[Pattern]) -> list[tuple[int, int, str, str]]:
        """Where something must be replaced in a text: start, end, tag and rule; in order and apart."""
        raw = text.encode("utf-8", "surrogatepass")
        # A tag stays: it stands for itself.
        spans = [(*tag.span(), tag.group(), "") for tag in self._tags.finditer(text)]
        for start, end, rule in self._matches(raw):
            first = len(raw[:start].decode("utf-8", "replace"))
            secret = raw[start:end]
            spans.append((first, first + len(secret), self._tag(org_id, rule, secret), rule))
        for pattern in patterns:
            for start, end in pattern.spans(text):
                tag = self._tag(org_id, POLICY, text[start:end].encode("utf-8", "surrogatepass"))
                spans.append((start, end, tag, POLICY))
        return list(_apart(sorted(spans)))

    def _plain(self, org_id: UUID, body: bytes, found: set[str]) -> bytes:
        parts, at = [], 0
        for start, end, rule in self._matches(body):
            parts += [body[at:start], self._tag(org_id, rule, body[start:end]).encode()]
            at = end
            found.add(rule)
        return b"".join([*parts, body[at:]]) if parts else body

    def _matches(self, body: bytes) -> Iterable[tuple[int, int, str]]:
        if self._secrets.search(body) is None:
            return
        for match in self._secrets.finditer(body):
            # Without a group it is a tag, which stays.
            if match.lastindex:
                start, end = match.span(match.lastindex)
                if end > start:
                    yield start, end, _RULES[match.lastindex - 1]

    def _by_policy(self, org_id: UUID, body: bytes, patterns: Sequence[Pattern], found: set[str]) -> bytes:
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            text = body.decode("utf-8", "surrogateescape")
            return self._replaced(org_id, text, patterns, found).encode("utf-8", "surrogateescape")
        here: set[str] = set()
        clean = mapped(document, lambda text: self._replaced(org_id, text, patterns, here))
        found |= here
        return orjson.dumps(clean) if here else body

    def _replaced(self, org_id: UUID, text: str, patterns: Sequence[Pattern], found: set[str]) -> str:
        if not any(pattern.within(text) for pattern in patterns):
            return text
        parts: list[str] = []
        at = 0
        for start, end, tag, rule in self.spans(org_id, text, patterns):
            parts += [text[at:start], tag]
            at = end
            if rule:
                found.add(rule)
        return "".join([*parts, text[at:]]) if parts else text

    def _tag(self, org_id: UUID, rule: str, secret: bytes) -> str:
        digest = hmac.digest(self._secret, org_id.bytes + secret, "sha256")[:8].hex()
        # Letters only, so that a policy that looks for digits leaves tags alone.
        return f"[redacted:{rule}:{digest.translate(_LETTERS)}]"


_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


def mapped(value: Any, change: Callable[[str], str], depth: int = 0) -> Any:
    """A JSON document with every string changed, names included."""
    if isinstance(value, str):
        return change(value)
    if depth > MOST_DEPTH:
        return None
    if isinstance(value, dict):
        return {change(name): mapped(item, change, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [mapped(item, change, depth + 1) for item in value]
    return value


def _harmless(body: bytes, document: Any, patterns: Sequence[Pattern]) -> bool:
    """Whether no string of a document has a match, told by one search; false may mean unknown."""
    if any(pattern.edged for pattern in patterns):
        return False
    if b"\\" not in body:
        # Nothing is escaped: every string stands in the bytes as it is, between quotes, which like the edge
        # of a text are no letters of a word.
        text = body.decode("utf-8", "replace")
    else:
        try:
            text = "\n".join(_strings(orjson.loads(body) if document is None else document, []))
        except orjson.JSONDecodeError:
            return False
    return not any(pattern.within(text) for pattern in patterns)


def _strings(value: Any, found: list[str], depth: int = 0) -> list[str]:
    if isinstance(value, str):
        found.append(value)
    elif isinstance(value, dict):
        found += value
        for item in value.values():
            if item.__class__ is str:
                found.append(item)
            elif depth <= MOST_DEPTH:
                _strings(item, found, depth + 1)
    elif isinstance(value, list) and depth <= MOST_DEPTH:
        for item in value:
            _strings(item, found, depth + 1)
    return found


def _apart(spans: list[tuple[int, int, str, str]]) -> Iterable[tuple[int, int, str, str]]:
    reached = 0
    for span in spans:
        if span[0] >= reached and span[1] > span[0]:
            yield span
            reached = span[1]
