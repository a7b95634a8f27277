"""
Redaction of streams: a secret that came in several events is found in the text they make together.

The event in which it begins gets the tag, the others lose their part of it. Events in which nothing is found
keep their bytes.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from services.agent_gateway.dialects.events import data_of, event
from services.agent_gateway.redaction.redactor import Redacted, Redactor
from services.agent_gateway.shapes import Channel, Outcome, Pieces
from services.chassis.patterns import Pattern

Span = tuple[int, int, str, str]


def redacted_stream(
    redactor: Redactor,
    org_id: UUID,
    events: Sequence[bytes],
    outcome: Outcome,
    patterns: Sequence[Pattern],
) -> tuple[list[bytes], set[str]]:
    """The events as they may be stored, and the rules that replaced something in them."""
    spans = {
        channel: found
        for channel, texts in outcome.texts.items()
        if (found := redactor.spans(org_id, "".join(texts), patterns))
    }
    rules = {rule for found in spans.values() for *_, rule in found if rule}
    if not rules and not patterns and not redactor.body(org_id, b"".join(events)).rules:
        return list(events), set()
    told = list(events)
    if rules and outcome.pieces is not None:
        cursors = {channel: _Cursor(found) for channel, found in spans.items()}
        told = [_told_anew(each, outcome.pieces, cursors) for each in told]
    clean = [_one(redactor, org_id, each, patterns) for each in told]
    return [each.body for each in clean], rules.union(*(each.rules for each in clean))


def _one(redactor: Redactor, org_id: UUID, raw: bytes, patterns: Sequence[Pattern]) -> Redacted:
    """One event by itself: what it says beside its pieces."""
    clean = redactor.body(org_id, raw)
    if not patterns or not (data := data_of(clean.body)):
        return clean
    by_policy = redactor.body(org_id, data, patterns)
    if not by_policy.rules:
        return clean
    return Redacted(clean.body.replace(data, by_policy.body), (*clean.rules, *by_policy.rules))


def _told_anew(raw: bytes, pieces: Pieces, cursors: "dict[Channel, _Cursor]") -> bytes:
    try:
        document = orjson.loads(data_of(raw))
    except orjson.JSONDecodeError:
        return raw
    changed = False
    for channel, place, name in pieces(document) if isinstance(document, dict) else ():
        if channel in cursors:
            text = cursors[channel].next(place[name])
            changed = changed or text != place[name]
            place[name] = text
    return _as_before(raw, document) if changed else raw


def _as_before(raw: bytes, document: Any) -> bytes:
    head = raw.partition(b"data:")[0].strip()
    return event(document, head.removeprefix(b"event:").strip().decode() if head else None)


class _Cursor:
    """A place in one channel's text, moving on piece by piece."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self._at = 0

    def next(self, piece: str) -> str:
        """The next piece without what is replaced; a span's tag stands where it begins."""
        start, end = self._at, self._at + len(piece)
        self._at = end
        parts, reached = [], start
        for first, last, tag, _ in self._spans:
            if last <= start or first >= end:
                continue
            if first >= start:
                parts += [piece[reached - start : first - start], tag]
            reached = min(last, end)
        return "".join([*parts, piece[reached - start :]])
