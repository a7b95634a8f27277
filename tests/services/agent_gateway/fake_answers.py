"""What the little providers say: answers, streams and errors in the shape of each path."""

import base64
import json
import struct
from typing import Any

CHAT_PATH, RESPONSES_PATH = "/v1/chat/completions", "/v1/responses"
EMBEDDINGS_PATH, MESSAGES_PATH = "/v1/embeddings", "/v1/messages"
COUNT_PATH = "/v1/messages/count_tokens"
PATHS = (CHAT_PATH, RESPONSES_PATH, EMBEDDINGS_PATH, MESSAGES_PATH, COUNT_PATH)

FAILURES = {
    "limited": 429,
    "unknown": 404,
    "broken": 500,
    "overloaded": 529,
    "too-long": 400,
    "bad-tool": 400,
    "wrong-key": 401,
    "forbidden": 403,
}
ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}

USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
CHAT = (
    b'{"id":"c1",  "object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"H\xc3\xa9llo"}}],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}'
)
HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x"}
PIECES: list[dict[str, Any]] = [
    {**HEAD, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hé"}}]},
    {**HEAD, "choices": [{"index": 0, "delta": {"content": "llo"}, "finish_reason": "stop"}]},
]
CALL = {"id": "call_9", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
RESPONSE_USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 18,
}
MESSAGE_USAGE = {"input_tokens": 5, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2}


def error(path: str, status: int) -> dict[str, Any]:
    if path.startswith(MESSAGES_PATH):
        kind = ANTHROPIC_TYPES[status]
        return {"type": "error", "error": {"type": kind, "message": f"told {status}"}, "request_id": "req_1"}
    return {"error": {"message": f"told {status}", "type": "requests", "param": None, "code": f"c{status}"}}


def whole(path: str, body: dict[str, Any]) -> bytes:
    asks_tool = bool(body.get("tools"))
    if path == CHAT_PATH:
        if not asks_tool:
            return CHAT
        message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        return json.dumps(
            {"id": "c2", "object": "chat.completion", "choices": [choice], "usage": USAGE}
        ).encode()
    if path == RESPONSES_PATH:
        return json.dumps(response(asks_tool)).encode()
    if path == MESSAGES_PATH:
        return json.dumps(message_of(asks_tool)).encode()
    if path == COUNT_PATH:
        return b'{"input_tokens": 42}'
    vector = [0.5, -0.25, 0.125]
    packed = base64.b64encode(struct.pack("<3f", *vector)).decode()
    embedding: Any = packed if body.get("encoding_format") == "base64" else vector
    data = [{"object": "embedding", "index": 0, "embedding": embedding}]
    usage = {"prompt_tokens": 11, "total_tokens": 11}
    return json.dumps({"object": "list", "data": data, "model": body["model"], "usage": usage}).encode()


def events(path: str, body: dict[str, Any]) -> list[bytes]:
    asks_tool = bool(body.get("tools"))
    if path == RESPONSES_PATH:
        return [_named(each) for each in _response_events(asks_tool)]
    if path == MESSAGES_PATH:
        return [b": hello\n\n", *(_named(each) for each in _message_events(asks_tool))]
    pieces = PIECES
    if asks_tool:
        opening = {**CALL, "index": 0, "function": {"name": "look", "arguments": ""}}
        deltas = [opening, {"index": 0, "function": {"arguments": '{"at":'}}]
        deltas.append({"index": 0, "function": {"arguments": " 1}"}})
        pieces = [{**HEAD, "choices": [{"index": 0, "delta": {"tool_calls": [each]}}]} for each in deltas]
    raw = [b"data: " + json.dumps(piece).encode() + b"\n\n" for piece in pieces]
    if (body.get("stream_options") or {}).get("include_usage"):
        raw.append(b"data: " + json.dumps({**HEAD, "choices": [], "usage": USAGE}).encode() + b"\n\n")
    return [*raw, b"data: [DONE]\n\n"]


def response(asks_tool: bool) -> dict[str, Any]:
    part = {"type": "output_text", "text": "Héllo", "annotations": []}
    text = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    call = {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_9"}
    call |= {"name": "look", "arguments": '{"at": 1}'}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "gpt-x",
        "output": [call if asks_tool else text],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": RESPONSE_USAGE,
        "error": None,
        "incomplete_details": None,
    }


def message_of(asks_tool: bool) -> dict[str, Any]:
    text = {"type": "text", "text": "Héllo"}
    use = {"type": "tool_use", "id": "toolu_9", "name": "look", "input": {"at": 1}}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [use if asks_tool else text],
        "stop_reason": "tool_use" if asks_tool else "end_turn",
        "stop_sequence": None,
        "usage": {**MESSAGE_USAGE, "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 3}},
    }


def _named(document: dict[str, Any]) -> bytes:
    return f"event: {document['type']}\ndata: {json.dumps(document, ensure_ascii=False)}\n\n".encode()


def _response_events(asks_tool: bool) -> list[dict[str, Any]]:
    ended = response(asks_tool)
    item = ended["output"][0]
    where = {"item_id": item["id"], "output_index": 0}
    delta: dict[str, Any] = {"type": "response.output_text.delta", "content_index": 0, "delta": "Héllo"}
    if asks_tool:
        delta = {"type": "response.function_call_arguments.delta", "delta": '{"at": 1}'}
    started = {**ended, "status": "in_progress", "output": [], "usage": None}
    told = [
        {"type": "response.created", "response": started},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {**delta, **where},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": ended},
    ]
    return [{**each, "sequence_number": place} for place, each in enumerate(told)]


def _message_events(asks_tool: bool) -> list[dict[str, Any]]:
    ended = message_of(asks_tool)
    block = ended["content"][0]
    opening = {**block, "input": {}} if asks_tool else {"type": "text", "text": ""}
    delta: dict[str, Any] = {"type": "text_delta", "text": "Héllo"}
    if asks_tool:
        delta = {"type": "input_json_delta", "partial_json": '{"at": 1}'}
    started = {**ended, "content": [], "stop_reason": None, "usage": {**MESSAGE_USAGE, "output_tokens": 1}}
    usage = {"output_tokens": 7, "output_tokens_details": {"thinking_tokens": 3}}
    return [
        {"type": "message_start", "message": started},
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": opening},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": ended["stop_reason"], "stop_sequence": None},
            "usage": usage,
        },
        {"type": "message_stop"},
    ]
