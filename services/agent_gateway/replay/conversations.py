"""
The canonical form of a conversation: OpenAI's messages, the items of Responses, Anthropic's messages.

Ids of tool calls are random, so a call stands without its id, and a result names the call it answers by what
was called. A run of consecutive tool results is a multiset: sorted, so that the order in which parallel calls
came back does not count, while how often each came does.
"""

from typing import Any

import orjson

MOST_DEPTH = 250
EXACT_FLOATS = 2**53


def conversation(items: list[Any]) -> list[Any]:
    """The messages or items in canonical form."""
    reading = _Reading()
    for item in items:
        reading.take(item)
    return reading.done()


def plain(value: Any, depth: int = 0) -> Any:
    """The value with whole floats as integers: RFC 8785 writes 1.0 as 1."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < EXACT_FLOATS else value
    if depth > MOST_DEPTH:
        # Left as it is: writing it will fail, and say so.
        return value
    if isinstance(value, dict):
        return {name: plain(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item, depth + 1) for item in value]
    return value


class _Reading:
    """One pass over a conversation: what was called so far, and the run of results being gathered."""

    def __init__(self) -> None:
        self._calls: dict[str, str] = {}
        self._out: list[Any] = []
        self._run: list[dict[str, Any]] = []

    def take(self, item: Any) -> None:
        if not isinstance(item, dict):
            self._put(item)
        elif item.get("role") == "tool":
            self._run.append(self._result(item, "tool_call_id"))
        elif "call_id" in item and "output" in item:
            self._run.append(self._result(item, "call_id"))
        elif "call_id" in item:
            self._put(self._item_call(item))
        elif isinstance(item.get("content"), list):
            self._blocks(item)
        elif isinstance(item.get("tool_calls"), list):
            self._put({**item, "tool_calls": [self._tool_call(call) for call in item["tool_calls"]]})
        else:
            self._put(_without_id(item))

    def done(self) -> list[Any]:
        self._end_run()
        return self._out

    def _put(self, item: Any) -> None:
        self._end_run()
        self._out.append(item)

    def _end_run(self) -> None:
        if self._run:
            self._out.append(_multiset(self._run))
            self._run = []

    def _blocks(self, message: dict[str, Any]) -> None:
        content: list[Any] = message["content"]
        if content and all(_is_result(block) for block in content):
            # Anthropic's results are a user's message; several such messages are one run.
            self._run.extend(self._result(block, "tool_use_id") for block in content)
            return
        blocks: list[Any] = []
        run: list[dict[str, Any]] = []
        for block in content:
            if _is_result(block):
                run.append(self._result(block, "tool_use_id"))
                continue
            if run:
                blocks.append(_multiset(run))
                run = []
            blocks.append(self._block(block))
        if run:
            blocks.append(_multiset(run))
        changed = {**_without_id(message), "content": blocks}
        if isinstance(message.get("tool_calls"), list):
            changed["tool_calls"] = [self._tool_call(call) for call in message["tool_calls"]]
        self._put(changed)

    def _block(self, block: Any) -> Any:
        if isinstance(block, dict) and "id" in block and "input" in block:
            return self._called(block, "id", "input")
        return block

    def _item_call(self, item: dict[str, Any]) -> dict[str, Any]:
        field = next((name for name in ("arguments", "input", "action") if name in item), None)
        return self._called(item, "call_id", field)

    def _called(self, item: dict[str, Any], id_name: str, field: str | None) -> dict[str, Any]:
        written = _arguments(item[field]) if field else ""
        self._calls[str(item.get(id_name))] = f"{item.get('name', item.get('type'))}({written})"
        rest = {name: value for name, value in item.items() if name not in {"id", id_name, "status"}}
        return {**rest, field: written} if field else rest

    def _tool_call(self, call: Any) -> Any:
        if not isinstance(call, dict):
            return call
        said = call.get("function", call.get("custom"))
        if not isinstance(said, dict):
            return call
        field = "arguments" if "function" in call else "input"
        written = _arguments(said.get(field))
        self._calls[str(call.get("id"))] = f"{said.get('name')}({written})"
        rest = {name: value for name, value in call.items() if name not in {"id", "function", "custom"}}
        return {**rest, "function": {**said, field: written}}

    def _result(self, item: dict[str, Any], id_name: str) -> dict[str, Any]:
        rest = {name: value for name, value in item.items() if name not in {"id", id_name, "status"}}
        return {**rest, "answers": self._calls.get(str(item.get(id_name)), "a call that is not shown")}


def _multiset(results: list[dict[str, Any]]) -> dict[str, Any]:
    return {"tool_results": sorted(results, key=_order) if len(results) > 1 else list(results)}


def _order(result: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(result, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return b""


def _is_result(block: Any) -> bool:
    return isinstance(block, dict) and "tool_use_id" in block


def _without_id(item: dict[str, Any]) -> dict[str, Any]:
    # The items of Responses carry random ids; only a reference means something by its id.
    if "id" not in item or item.get("type") == "item_reference":
        return item
    return {name: value for name, value in item.items() if name != "id"}


def _arguments(arguments: Any) -> Any:
    """Arguments as canonical JSON text; what is not JSON stays as it is."""
    if isinstance(arguments, str):
        try:
            arguments = orjson.loads(arguments)
        except orjson.JSONDecodeError:
            return arguments
    try:
        return orjson.dumps(plain(arguments), option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        return arguments
