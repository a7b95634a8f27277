"""What the journal's benchmark puts in: conversations of noise, and trajectories of a model and a tool."""

import random
import string
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from services.chassis.ids import new_id
from services.contracts.steps import NewStep, StepKind

LETTERS = string.ascii_letters + string.digits + "+/"


class Material:
    """Makes texts; the same seed makes the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._words = [
            "".join(self._random.choices(string.ascii_lowercase, k=self._random.randint(2, 10)))
            for _ in range(3_000)
        ]

    def noise(self, size: int) -> str:
        """Random letters: nothing in them repeats."""
        return "".join(self._random.choices(LETTERS, k=size))

    def prose(self, size: int) -> str:
        """Random words of a vocabulary of 3,000."""
        return " ".join(self._random.choices(self._words, k=size // 7))[:size]

    def trajectory(self, turns: int) -> dict[str, Any]:
        """A task, and what a model and a tool said in each turn: about 1.2 KB a turn."""
        return {
            "system": self.prose(400),
            "task": self.prose(300),
            "turns": [
                {
                    "thought": self.prose(120),
                    "tool": "lookup",
                    "arguments": {"query": self.prose(60)},
                    "call_id": f"call_{self.noise(24)}",
                    "result": self.prose(1_000),
                }
                for _ in range(turns)
            ],
        }


def step(org_id: UUID, agent_id: UUID, execution_id: UUID, seq: int, **values: Any) -> NewStep:
    """A step as the gateway hands it over."""
    now = datetime.now(UTC)
    whole: dict[str, Any] = {
        "id": new_id(), "org_id": org_id, "agent_id": agent_id, "execution_id": execution_id,
        "instance_id": agent_id, "seq": seq, "kind": StepKind.LLM, "name": "/v1/chat/completions",
        "status": "succeeded", "model": "gpt-4o-mini", "provider": "api.openai.com", "http_status": 200,
        "key": new_id().hex, "tokens_in": 1_000, "tokens_out": 100, "cost_nano": 210_000,
        "started_at": now, "first_byte_at": now, "finished_at": now,
    }  # fmt: skip
    return NewStep(**{**whole, **values})


def answer(message: dict[str, Any]) -> bytes:
    """A chat completion with this message."""
    return orjson.dumps(
        {
            "id": f"chatcmpl-{new_id().hex}", "object": "chat.completion", "created": 1790000000,
            "model": "gpt-4o-mini", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
        }
    )  # fmt: skip


def steps_of(trajectory: dict[str, Any], org_id: UUID) -> list[NewStep]:
    """The trajectory as it crosses the boundary: a model call and a tool call in each turn."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": trajectory["system"]},
        {"role": "user", "content": trajectory["task"]},
    ]
    schema = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
    tools = [{"type": "function", "function": {"name": "lookup", "parameters": schema}}]
    found: list[NewStep] = []
    place = (org_id, new_id(), new_id())
    for turn in trajectory["turns"]:
        call = {"name": turn["tool"], "arguments": orjson.dumps(turn["arguments"]).decode()}
        calls = [{"id": turn["call_id"], "type": "function", "function": call}]
        said = {"role": "assistant", "content": turn["thought"], "tool_calls": calls}
        request = orjson.dumps({"model": "gpt-4o-mini", "messages": messages, "tools": tools})
        found.append(
            step(
                *place,
                len(found) + 1,
                request_bytes=request,
                response_bytes=answer(said),
                tool_calls=["lookup"],
            )
        )
        content = [{"type": "text", "text": turn["result"]}]
        params = {"name": turn["tool"], "arguments": turn["arguments"]}
        asked = {"jsonrpc": "2.0", "id": len(found), "method": "tools/call", "params": params}
        given = {"jsonrpc": "2.0", "id": len(found), "result": {"content": content, "isError": False}}
        values: dict[str, Any] = {
            "kind": StepKind.TOOL,
            "name": "lookup",
            "model": None,
            "provider": "tools",
            "effect": "read",
        }
        found.append(
            step(
                *place, len(found) + 1, request_bytes=orjson.dumps(asked), response_bytes=orjson.dumps(given),
                **values, tokens_in=0, tokens_out=0, cost_nano=0,
            )
        )  # fmt: skip
        messages += [said, {"role": "tool", "tool_call_id": turn["call_id"], "content": turn["result"]}]
    return found
