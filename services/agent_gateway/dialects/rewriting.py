"""
What the gateway changed on the way, and how both sides are rebuilt from what was stored.

A step stores the bytes the agent sent and got. Where the provider was sent or gave something else, the step's
`request_patch` says so: `set` are fields of the request with another value, `unset` are fields that were left
out, `removed` are events of the stream that were taken out, each with its place in the agent's bytes.
"""

from collections.abc import Mapping
from typing import Any

import orjson

Patch = Mapping[str, Any] | None


def changed(body: Mapping[str, Any], patch: Patch) -> dict[str, Any]:
    """The request with the patch applied."""
    patch = patch or {}
    left_out = patch.get("unset", ())
    changes = dict(sorted(patch.get("set", {}).items()))
    return {name: value for name, value in {**body, **changes}.items() if name not in left_out}


def written(outgoing: Mapping[str, Any], patch: Patch) -> bytes:
    """A changed request as it is sent; the store keeps no order of names, so changed values have theirs."""
    changes = (patch or {}).get("set", {})
    return orjson.dumps(
        {name: _ordered(value) if name in changes else value for name, value in outgoing.items()}
    )


def upstream_request(request: bytes, patch: Patch) -> bytes:
    """The bytes the provider was sent."""
    if not patch or not (patch.get("set") or patch.get("unset")):
        return request
    return written(changed(orjson.loads(request), patch), patch)


def _ordered(value: Any) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))


def upstream_response(response: bytes, patch: Patch) -> bytes:
    """The bytes the provider sent."""
    parts, start = [], 0
    for removed in (patch or {}).get("removed", ()):
        parts += [response[start : removed["at"]], removed["event"].encode()]
        start = removed["at"]
    return b"".join([*parts, response[start:]])


def note_difference(patch: dict[str, Any] | None, old: Mapping[str, Any], new: Mapping[str, Any]) -> Any:
    """The patch with which the one request becomes the other."""
    patch = {**(patch or {})}
    different = {name: value for name, value in new.items() if name not in old or old[name] != value}
    left_out = [name for name in old if name not in new]
    if different:
        patch["set"] = {**patch.get("set", {}), **different}
    if left_out:
        patch["unset"] = left_out
    return patch or None


def note_removed(patch: dict[str, Any] | None, at: int, event: bytes) -> dict[str, Any]:
    """The patch with one more event that was taken out at this place of the agent's bytes."""
    patch = patch or {}
    patch.setdefault("removed", []).append({"at": at, "event": event.decode()})
    return patch
