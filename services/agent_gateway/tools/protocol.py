"""
JSON-RPC and MCP as far as the gateway must know them: the two ages, requests, results, errors, events.

Revisions up to 2025-11-25 open a session with `initialize`; since 2026-07-28 each request stands for itself
and says in `params._meta` who speaks (modelcontextprotocol, specification 2026-07-28, basic/index).
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from services.agent_gateway.shapes import as_dict

STATELESS = "2026-07-28"
HANDSHAKES = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
VERSION_META = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_META = "io.modelcontextprotocol/clientCapabilities"
CLIENT_META = "io.modelcontextprotocol/clientInfo"
SERVER_META = "io.modelcontextprotocol/serverInfo"
CAUSE_META = "dev.agentplane/cause"
US = {"name": "agentplane", "version": "1"}
NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
HEADER_MISMATCH = -32020
UNSUPPORTED_VERSION = -32022
# HTTP status of an error that is no answer to a call (specification 2026-07-28, basic/transports).
STATUSES = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    UNSUPPORTED_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}

_PLAIN = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_ENCODED = re.compile(r"=\?base64\?(.*)\?=")

Json = dict[str, Any]


class RpcError(Exception):
    """An error that the caller is answered in JSON-RPC's shape."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        self.code, self.message, self.data = code, message, data
        super().__init__(message)

    def document(self) -> Json:
        """The error object."""
        error: Json = {"code": self.code, "message": self.message}
        return error if self.data is None else {**error, "data": self.data}


@dataclass(frozen=True)
class Asked:
    """One message of a client: a request, or a notification where it has no id."""

    method: str
    params: Json
    id: str | int | None
    stateless: bool
    version: str

    @property
    def progress_token(self) -> str | int | None:
        """What the client wants progress reported under."""
        token = as_dict(self.params.get("_meta")).get("progressToken")
        return token if isinstance(token, str | int) else None

    @property
    def capabilities(self) -> Json:
        """What a client of the stateless revision says it can do."""
        return as_dict(as_dict(self.params.get("_meta")).get(CAPABILITIES_META))


def asked(raw: bytes, headers: Mapping[str, str]) -> Asked:
    """The message in a body, checked against its headers as the stateless revision demands."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise RpcError(PARSE_ERROR, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict) or body.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, "the body must be one JSON-RPC 2.0 message")
    method, params, given = body.get("method"), body.get("params", {}), body.get("id")
    if method is None and ("result" in body or "error" in body):
        return Asked("", {}, None, stateless=False, version=HANDSHAKES[0])
    if not isinstance(method, str) or not isinstance(params, dict):
        raise RpcError(INVALID_REQUEST, "method must be text and params an object")
    if "id" in body and (not isinstance(given, str | int) or isinstance(given, bool)):
        raise RpcError(INVALID_REQUEST, "id must be text or a whole number")
    version = headers.get("mcp-protocol-version", "")
    named = as_dict(params.get("_meta")).get(VERSION_META)
    message = Asked(
        method, params, given, named is not None or version == STATELESS, version or HANDSHAKES[0]
    )
    if message.stateless and given is not None:
        _check_stateless(message, named, headers)
    return message


def _check_stateless(message: Asked, named: Any, headers: Mapping[str, str]) -> None:
    if not isinstance(named, str):
        raise RpcError(INVALID_PARAMS, f"params._meta must hold {VERSION_META}")
    if headers.get("mcp-protocol-version") != named:
        raise RpcError(HEADER_MISMATCH, "MCP-Protocol-Version is not the version in params._meta")
    if headers.get("mcp-method") != message.method:
        raise RpcError(HEADER_MISMATCH, "Mcp-Method is not the method of the body")
    field = NAMED_BY.get(message.method)
    if field is not None and header_text(headers.get("mcp-name", "")) != message.params.get(field):
        raise RpcError(HEADER_MISMATCH, f"Mcp-Name is not params.{field}")
    if named != STATELESS:
        supported = [STATELESS, *HANDSHAKES]
        data = {"supported": supported, "requested": named}
        raise RpcError(UNSUPPORTED_VERSION, f"version {named[:40]} is not spoken here", data)


def header_value(text: str) -> str:
    """Text as a header may carry it: itself, or in base64 between marks."""
    if _PLAIN.fullmatch(text) and not _ENCODED.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def header_text(value: str) -> str:
    """The text that a header's value stands for."""
    match = _ENCODED.fullmatch(value)
    if match is None:
        return value
    try:
        return base64.b64decode(match[1], validate=True).decode()
    except ValueError:
        return value


def argument_headers(schema: Any, arguments: Any) -> dict[str, str]:
    """The `Mcp-Param-*` headers of the arguments whose schema is marked `x-mcp-header`."""
    found: dict[str, str] = {}
    for name, part in as_dict(as_dict(schema).get("properties")).items():
        value, mark = as_dict(arguments).get(name), as_dict(part).get("x-mcp-header")
        if isinstance(value, dict):
            found |= argument_headers(part, value)
        elif isinstance(mark, str) and _TOKEN.fullmatch(mark) and isinstance(value, str | int):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            found[f"Mcp-Param-{mark}"] = header_value(text)
    return found


def result_body(request_id: str | int | None, result: Json) -> bytes:
    """An answer."""
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "result": result})


def error_body(request_id: str | int | None, error: RpcError) -> bytes:
    """An error in JSON-RPC's shape."""
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "error": error.document()})


def event(body: bytes) -> bytes:
    """A message as a server-sent event."""
    return b"event: message\ndata: " + body + b"\n\n"


def tool_error(message: str, cause: str) -> Json:
    """A tool result that tells the model what went wrong, and programs why."""
    return {"content": [{"type": "text", "text": message}], "isError": True, "_meta": {CAUSE_META: cause}}


def of_age(result: Json, *, stateless: bool) -> Json:
    """A result as clients of that age expect it."""
    if stateless:
        return {"resultType": "complete", **result}
    return {name: value for name, value in result.items() if name != "resultType"}


def unfinished(document: Json) -> bool:
    """Whether the tool wants more from the client before it does anything."""
    return as_dict(document.get("result")).get("resultType") == "input_required"


def message_of(body: bytes) -> Json | None:
    """The last answer in a body, whether it is plain JSON or a stream of events."""
    found = None
    for part in [body, *(line[5:] for line in body.splitlines() if line.startswith(b"data:"))]:
        try:
            document = orjson.loads(part)
        except orjson.JSONDecodeError:
            continue
        if isinstance(document, dict) and ("result" in document or "error" in document):
            found = document
    return found
