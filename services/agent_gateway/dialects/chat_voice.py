"""The scripted provider in chat completions."""

from typing import Any

import orjson

from services.agent_gateway.dialects.events import event
from services.agent_gateway.dialects.voice import Said, halves
from services.agent_gateway.shapes import as_dict

DONE = b"data: [DONE]\n\n"


class ChatVoice:
    """Speaks chat completions."""

    def heard(self, body: dict[str, Any]) -> dict[str, Any]:
        """The request itself."""
        return body

    def whole(self, said: Said, body: dict[str, Any]) -> bytes:
        """A completion."""
        message: dict[str, Any] = {"role": "assistant", "content": said.turn.text, "refusal": None}
        if said.calls:
            message["tool_calls"] = [_tool_call(*call) for call in said.calls]
        choice = {"index": 0, "message": message, "finish_reason": _finish(said), "logprobs": None}
        head = _head(said, "chat.completion")
        return orjson.dumps({**head, "choices": [choice], "usage": _usage(said)})

    def events(self, said: Said, body: dict[str, Any]) -> list[bytes]:
        """Chunks, the usage where it was asked for, and the mark of the end."""
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "" if said.text else None}]
        for place, (tail, name, given) in enumerate(said.calls):
            deltas.append({"tool_calls": [{**_tool_call(tail, name, ""), "index": place}]})
            for part in halves(given):
                deltas.append({"tool_calls": [{"index": place, "function": {"arguments": part}}]})
        deltas += [{"content": piece} for piece in said.pieces]
        head = _head(said, "chat.completion.chunk")
        chunks = [event({**head, "choices": [_choice(delta, None)]}) for delta in deltas]
        chunks.append(event({**head, "choices": [_choice({}, _finish(said))]}))
        if as_dict(body.get("stream_options")).get("include_usage"):
            chunks.append(event({**head, "choices": [], "usage": _usage(said)}))
        return [*chunks, DONE]


def _head(said: Said, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{said.name[:24]}", "object": kind, "created": said.created, "model": said.model}


def _tool_call(tail: str, name: str, given: str) -> dict[str, Any]:
    return {"id": f"call_{tail}", "type": "function", "function": {"name": name, "arguments": given}}


def _choice(delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _finish(said: Said) -> str:
    return "tool_calls" if said.calls else "stop"


def _usage(said: Said) -> dict[str, int]:
    total = said.tokens_in + said.tokens_out
    return {
        "prompt_tokens": said.tokens_in,
        "completion_tokens": said.tokens_out,
        "total_tokens": total,
    }
