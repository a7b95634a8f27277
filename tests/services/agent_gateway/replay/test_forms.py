"""An answer in its two forms: told as a stream and put together again it is what it was."""

from typing import Any

import orjson
import pytest

from services.agent_gateway.answers import CutStream
from services.agent_gateway.replay.answering import answer_of, document_of, pieces
from services.agent_gateway.replay.edits import edited, tried
from services.agent_gateway.replay.learning import changing, differing
from services.agent_gateway.replay.reassembly import documents, streamed, whole
from services.chassis.errors import Invalid
from services.contracts.steps import RawStep, RecordedCall
from services.contracts.time_travel import Edit

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": "é"}'}}
CHAT = {
    "object": "chat.completion",
    "id": "x",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hé", "tool_calls": [CALL, {**CALL, "id": "c2"}]},
            "finish_reason": "tool_calls",
        },
        {"index": 1, "message": {"role": "assistant", "content": "two"}, "finish_reason": "stop"},
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2},
}
MESSAGE = {
    "type": "message",
    "role": "assistant",
    "id": "msg_1",
    "model": "m",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "Hé"},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1, {"b": "é"}]}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 4},
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "output": [
        {
            "type": "message",
            "id": "m1",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hé"}],
        },
        {"type": "function_call", "id": "f1", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
    ],
    "usage": {"input_tokens": 3, "output_tokens": 4},
}
ANSWERS = [("/v1/chat/completions", CHAT), ("/v1/messages", MESSAGE), ("/v1/responses", RESPONSE)]


@pytest.mark.parametrize(("path", "answer"), ANSWERS)
def test_told_as_a_stream_and_put_together_it_is_the_same(path: str, answer: dict[str, Any]) -> None:
    told = streamed(path, answer)
    assert len(told) > 3
    assert whole(path, b"".join(told)) == answer


def test_openai_reads_the_stream() -> None:
    chunks = list(documents(b"".join(streamed("/v1/chat/completions", CHAT))))
    assert all(each["object"] == "chat.completion.chunk" for each in chunks)
    assert [each["index"] for each in chunks[0]["choices"][0]["delta"]["tool_calls"]] == [0, 1]


async def body_of(
    recorded: dict[str, Any], raw: dict[str, Any], wants_stream: bool
) -> tuple[int, str, list[bytes]]:
    call = {"seq": 1, "attempt": 1, "kind": "llm", "name": "/v1/chat/completions", "key": "aa"}
    call |= {"status": "succeeded", "started_at": "2026-01-01T00:00:00Z", **recorded}
    step = RawStep(seq=1, request_bytes=b"", **raw)
    answer = answer_of(RecordedCall.model_validate(call), step, wants_stream)
    return answer.status, answer.content_type, [chunk async for chunk in answer.chunks]


async def test_an_answer_keeps_its_bytes_and_its_chunks() -> None:
    body = b'{ "id":  "x" }'
    assert await body_of({}, {"response_bytes": body}, False) == (200, "application/json", [body])
    stream = {"response_bytes": b"data: 1\n\ndata: 2\n\n", "response_chunks": [3, 6]}
    _, kind, chunks = await body_of({"streamed": True}, stream, True)
    assert kind == "text/event-stream" and [len(each) for each in chunks] == [3, 6, 9]
    assert b"".join(chunks) == stream["response_bytes"] == b"".join(pieces(b"".join(chunks), []))


async def test_an_answer_changes_its_form_when_that_is_asked_for() -> None:
    _, kind, chunks = await body_of({}, {"response_bytes": orjson.dumps(CHAT)}, True)
    assert kind == "text/event-stream"
    told = b"".join(chunks)
    _, kind, chunks = await body_of({"streamed": True}, {"response_bytes": told}, False)
    assert kind == "application/json" and orjson.loads(b"".join(chunks)) == CHAT


async def test_failures_are_shown_as_they_were() -> None:
    refused = {"status": "failed", "http_status": 429}
    assert (await body_of(refused, {"response_bytes": b"{}"}, True))[0] == 429
    cut = {"status": "failed", "http_status": 200, "streamed": True, "error": "it broke off"}
    with pytest.raises(CutStream, match="it broke off"):
        await body_of(cut, {"response_bytes": b"data: 1\n\n"}, True)


def put(document: Any, path: str, value: Any) -> Any:
    return edited(document, [Edit(step=1, path=path, value=value)])


def test_edits_follow_pointers() -> None:
    document = {"a": [{"b/c": 1, "d~e": 2}], "f": {}}
    assert put(document, "/a/0/b~1c", 9)["a"][0] == {"b/c": 9, "d~e": 2}
    assert put(document, "/a/0/d~0e", 9)["a"][0]["d~e"] == 9
    assert put(document, "/a/-", 1)["a"] == [*document["a"], 1]
    assert put(document, "/f/new", 1)["f"] == {"new": 1}
    assert put(document, "", 1) == 1
    assert document == {"a": [{"b/c": 1, "d~e": 2}], "f": {}}
    for nowhere in ("a", "/x/y", "/a/1", "/a/-1", "/a/x", "/a/0/b~1c/z", "/a/-/b", "/a/\u0662"):
        with pytest.raises(Invalid):
            put(document, nowhere, 1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("today is 2026-11-22", "today is 2027-01-01"),
        ("at 2026-11-22T10:00:00.123Z", "at 2026-11-22T11:30:00Z"),
        ("id 7f9c24e8-3b12-4c8e-9f6d-1a2b3c4d5e6f", "id 11111111-2222-3333-4444-555555555555"),
        ("run 1763800000.123", "run 1763800999.5"),
        ("a 2026-11-22 b 0123456789abcdef", "a 2027-11-22 b fedcba9876543210"),
    ],
)
def test_what_changes_by_itself_is_learnt(before: str, after: str) -> None:
    assert changing(before, after) is not None


@pytest.mark.parametrize(
    ("before", "after"),
    [("pay 10 dollars", "pay 11 dollars"), ("yes", "no"), ("2026-11-22 yes", "2027-11-22 no")],
)
def test_what_means_something_is_not(before: str, after: str) -> None:
    assert changing(before, after) is None


def test_a_mask_names_its_place_for_every_element() -> None:
    one = {"messages": [{"content": "hi"}, {"content": "on 2026-11-22"}]}
    other = {"messages": [{"content": "hi"}, {"content": "on 2026-11-23"}]}
    (mask,) = differing(one, other)
    assert mask.pointer == "/messages/*/content" and (mask.before, mask.after) == (
        "on 2026-11-22",
        "on 2026-11-23",
    )


def test_an_object_in_the_place_of_a_text_of_json_is_refused_with_what_to_write() -> None:
    path = "/choices/0/message/tool_calls/0/function/arguments"
    with pytest.raises(Invalid, match="give a text too: "):
        tried(CHAT, [Edit(step=1, target="response", path=path, value={"a": 2})])
    tried(CHAT, [Edit(step=1, target="response", path=path, value='{"a":2}')])
    tried(
        CHAT, [Edit(step=1, target="response", path="/choices/0/message/content", value=[{"type": "text"}])]
    )


def test_a_tools_answer_is_the_same_whether_it_came_whole_or_in_a_stream() -> None:
    answer = {"jsonrpc": "2.0", "id": 3, "result": {"content": []}}
    progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}
    stream = b"".join(b"event: message\ndata: " + orjson.dumps(each) + b"\n\n" for each in (progress, answer))
    values = {"seq": 1, "attempt": 1, "kind": "tool", "name": "shop/refund", "key": None}
    values |= {"status": "succeeded", "started_at": "2026-11-30T00:00:00Z"}
    tool = RecordedCall.model_validate(values)
    for body in (orjson.dumps(answer), stream):
        raw = RawStep(seq=1, request_bytes=b"{}", response_bytes=body)
        assert document_of(tool, raw) == answer
