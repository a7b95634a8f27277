"""A step in full: the conversation and the answer of every kind of API, and what became of the tools."""

from typing import Any
from uuid import UUID

import orjson
import pytest

from services.agent_observability.completions import completion_of
from services.agent_observability.detail import content_type
from services.agent_observability.prompts import messages_of
from services.chassis.ids import new_id
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.conversations import Message, ToolCall, ToolUse
from services.contracts.steps import StepKind
from tests.services.agent_observability.conftest import MakeStep


def sse(*events: Any) -> bytes:
    return b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events) + b"data: [DONE]\n\n"


def delta(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


LOOKUP = ToolUse(id="c1", name="lookup", arguments={"q": "é"})
ANSWER = Message(role="assistant", text="Let me see.", tool_calls=[LOOKUP], finish_reason="tool_calls")
ARGUMENTS = '{"q":"é"}'
CHAT = {"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": ARGUMENTS}}
BLOCKS: list[dict[str, Any]] = [
    {"type": "text", "text": "Let me see."},
    {"type": "tool_use", "id": "c1", "name": "lookup", "input": {"q": "é"}},
]
OUTPUT = [
    {"type": "message", "content": [{"type": "output_text", "text": "Let me see."}]},
    {"type": "function_call", "call_id": "c1", "name": "lookup", "arguments": ARGUMENTS},
]
ANSWERS: dict[str, tuple[bytes, str]] = {
    "chat": (
        orjson.dumps(
            {
                "choices": [
                    {
                        "message": {"content": "Let me see.", "tool_calls": [CHAT]},
                        "finish_reason": "tool_calls",
                    }
                ]
            }
        ),
        "tool_calls",
    ),
    "chat stream": (
        sse(
            delta(role="assistant", content="Let me"),
            delta(content=" see."),
            delta(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "lookup", "arguments": '{"q"'}}]),
            delta(tool_calls=[{"index": 0, "function": {"arguments": ':"é"}'}}]),
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
            {"choices": [], "usage": {"prompt_tokens": 1}},
        ),
        "tool_calls",
    ),
    "messages": (
        orjson.dumps({"type": "message", "content": BLOCKS, "stop_reason": "tool_use"}),
        "tool_use",
    ),
    "messages stream": (
        sse(
            {"type": "message_start", "message": {}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": "Let me see."},
            },
            {"type": "content_block_start", "index": 1, "content_block": {**BLOCKS[1], "input": {}}},
            {"type": "content_block_delta", "index": 1, "delta": {"partial_json": '{"q":'}},
            {"type": "content_block_delta", "index": 1, "delta": {"partial_json": '"é"}'}},
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        ),
        "tool_use",
    ),
    "responses": (orjson.dumps({"output": OUTPUT, "status": "completed"}), "completed"),
    "responses stream": (
        sse(
            {"type": "response.output_text.delta", "delta": "Let"},
            {"type": "response.completed", "response": {"output": OUTPUT, "status": "completed"}},
        ),
        "completed",
    ),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_answers_are_read_whatever_the_api(kind: str) -> None:
    body, reason = ANSWERS[kind]
    assert completion_of(body) == ANSWER.model_copy(update={"finish_reason": reason})


CONVERSATION = [
    Message(role="system", text="Be brief."),
    Message(role="user", text="Hello\n[image_url]"),
    Message(role="assistant", tool_calls=[LOOKUP]),
    Message(role="tool", text="found", tool_call_id="c1"),
]
PARTS = [{"type": "text", "text": "Hello"}, {"type": "image_url", "image_url": {"url": "data:"}}]
REQUESTS: dict[str, dict[str, Any]] = {
    "chat": {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": PARTS},
            {"role": "assistant", "content": None, "tool_calls": [CHAT]},
            {"role": "tool", "tool_call_id": "c1", "content": "found"},
        ]
    },
    "messages": {
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": PARTS},
            {"role": "assistant", "content": BLOCKS[1:]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "c1",
                        "content": [{"type": "text", "text": "found"}],
                    }
                ],
            },
        ],
    },
    "responses": {
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hello"}, {"type": "image_url"}]},
            OUTPUT[1],
            {"type": "function_call_output", "call_id": "c1", "output": "found"},
        ],
    },
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_requests_are_read_whatever_the_api(kind: str) -> None:
    assert messages_of(REQUESTS[kind]) == CONVERSATION


@pytest.mark.parametrize(
    "request_body",
    [None, 7, [], {}, {"messages": 3}, {"messages": [7, None, {"content": {"a": 1}}, {"tool_calls": "x"}]}],
)
def test_odd_requests_are_no_error(request_body: Any) -> None:
    assert isinstance(messages_of(request_body), list)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[{"message":{"tool_calls":[1]}}]}',
        b"data: {}",
        b'{"output":[1]}',
        b'data: {"choices":[{"delta":{"tool_calls":[1,{}]}}]}',
        b"\xff\xfe",
    ],
)
def test_odd_answers_are_no_error(body: bytes) -> None:
    completion = completion_of(body)
    assert completion is None or completion.role == "assistant"


def test_content_types_are_told_from_the_bytes() -> None:
    kinds = [content_type(body) for body in (b"", b' {"a":1}', b"data: 1\n\n", b"{no", b"\xff\xfe")]
    assert kinds == [None, "application/json", "text/event-stream", "text/plain", "application/octet-stream"]


def rpc(method: str, **params: Any) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


async def test_what_ran_inside_the_agent_is_observed_and_what_passed_the_gateway_is_a_step(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep
) -> None:
    execution_id = new_id()
    calls = [
        {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": f'{{"n":{number}}}'}}
        for number, name in enumerate(("crm_refund", "crm_refund", "add", "lost"))
    ]
    results = [{"role": "tool", "tool_call_id": f"c{number}", "content": f"r{number}"} for number in range(3)]
    answer = {"choices": [{"message": {"content": None, "tool_calls": calls}}]}
    refunds = [
        step(
            execution_id,
            seq,
            kind=StepKind.TOOL,
            name="refund",
            request_bytes=rpc("tools/call", name="refund", arguments={"n": number}),
            response_bytes=orjson.dumps(
                {"result": {"content": [{"type": "text", "text": "x"}], "isError": number == 1}}
            ),
        )
        for seq, number in ((2, 1), (3, 0))
    ]
    await journal.append_steps(
        [
            step(execution_id, 1, response_bytes=orjson.dumps(answer)),
            *refunds,
            step(execution_id, 4, request_bytes=orjson.dumps({"messages": results})),
        ]
    )
    detail = await journal.step(org_id, execution_id, 1)
    assert [(each.name, each.result, each.seq, each.observed, each.is_error) for each in detail.calls] == [
        ("crm_refund", "r0", 3, False, False),
        ("crm_refund", "r1", 2, False, True),
        ("add", "r2", None, True, False),
        ("lost", None, None, False, False),
    ]
    assert detail.response_type == "application/json" and detail.completion is not None
    tool = await journal.step(org_id, execution_id, 2)
    assert tool.calls == [ToolCall(name="refund", arguments={"n": 1}, result="x", is_error=True, seq=2)]
    assert (await journal.totals(org_id, execution_id)).steps == 4
