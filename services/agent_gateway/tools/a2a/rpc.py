"""A2A's requests and errors in JSON-RPC (A2A 1.0, sections 5.4, 9 and 14.2.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from services.agent_gateway.tools.a2a.messages import CONTENTS, SEND, STREAM
from services.agent_gateway.tools.protocol import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    Json,
    RpcError,
)

VERSION = "1.0"
VERSION_HEADER = "a2a-version"
# What a request says that names no version.
UNNAMED_VERSION = "0.3"

GET, CANCEL, SUBSCRIBE = "GetTask", "CancelTask", "SubscribeToTask"
METHODS = frozenset({SEND, STREAM, GET, CANCEL, SUBSCRIBE})
STREAMS = frozenset({STREAM, SUBSCRIBE})

TASK_NOT_FOUND = -32001
TASK_NOT_CANCELABLE = -32002
PUSH_NOT_SUPPORTED = -32003
UNSUPPORTED_OPERATION = -32004
VERSION_NOT_SUPPORTED = -32009
DOMAIN = "a2a-protocol.org"
OUR_DOMAIN = "agentplane.dev"
REASONS = {
    TASK_NOT_FOUND: "TASK_NOT_FOUND",
    TASK_NOT_CANCELABLE: "TASK_NOT_CANCELABLE",
    PUSH_NOT_SUPPORTED: "PUSH_NOTIFICATION_NOT_SUPPORTED",
    UNSUPPORTED_OPERATION: "UNSUPPORTED_OPERATION",
    VERSION_NOT_SUPPORTED: "VERSION_NOT_SUPPORTED",
}
# Methods of the specification that are not offered, and the error it has for that.
NOT_OFFERED = {
    "ListTasks": UNSUPPORTED_OPERATION,
    "GetExtendedAgentCard": UNSUPPORTED_OPERATION,
    "CreateTaskPushNotificationConfig": PUSH_NOT_SUPPORTED,
    "GetTaskPushNotificationConfig": PUSH_NOT_SUPPORTED,
    "ListTaskPushNotificationConfigs": PUSH_NOT_SUPPORTED,
    "DeleteTaskPushNotificationConfig": PUSH_NOT_SUPPORTED,
}

_NAME = r"^[^\x00]*$"


class _Params(BaseModel):
    # The specification has servers ignore fields they do not know.
    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel)


class Message(_Params):
    """What is said to an agent; of a task that waits for it where `task_id` names one."""

    message_id: str = Field(min_length=1, max_length=200)
    role: str = Field(pattern="^ROLE_USER$")
    parts: list[Json] = Field(min_length=1)
    context_id: str | None = Field(None, min_length=1, max_length=200, pattern=_NAME)
    task_id: str | None = None


class Configuration(_Params):
    """How the answer is wanted."""

    return_immediately: bool = False
    task_push_notification_config: Json | None = None


class SendParams(_Params):
    """Parameters of `SendMessage` and `SendStreamingMessage`."""

    message: Message
    configuration: Configuration = Configuration()


class TaskParams(_Params):
    """Parameters of the methods about one task."""

    id: str


@dataclass(frozen=True)
class Asked:
    """One request of a client, checked."""

    method: str
    params: SendParams | TaskParams

    @property
    def streams(self) -> bool:
        """Whether it is answered with a stream of events."""
        return self.method in STREAMS


def named_in(raw: bytes) -> tuple[Json, str | int]:
    """The JSON-RPC request in a body, and its id; raises `RpcError`."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise RpcError(PARSE_ERROR, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict) or body.get("jsonrpc") != "2.0" or not isinstance(body.get("method"), str):
        raise RpcError(INVALID_REQUEST, "the body must be one JSON-RPC 2.0 request")
    given = body.get("id")
    if not isinstance(given, str | int) or isinstance(given, bool):
        raise RpcError(INVALID_REQUEST, "id must be text or a whole number")
    return body, given


def checked(body: Json, version: str | None) -> Asked:
    """The request, if it is one of those that are answered here; raises `RpcError`."""
    if (version or UNNAMED_VERSION).split(".")[:2] != VERSION.split("."):
        said = f"{version[:20]!r}" if version else f"none, which is {UNNAMED_VERSION}"
        raise a2a_error(VERSION_NOT_SUPPORTED, f"A2A-Version must be {VERSION}, and it is {said}")
    method = body["method"]
    if method in NOT_OFFERED:
        raise a2a_error(NOT_OFFERED[method], f"{method} is not offered here")
    if method not in METHODS:
        raise RpcError(METHOD_NOT_FOUND, f"there is no method {method[:80]}")
    model = SendParams if method in (SEND, STREAM) else TaskParams
    try:
        params = model.model_validate(body.get("params"))
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in ("params", *first["loc"]))
        raise RpcError(INVALID_PARAMS, f"{where}: {first['msg']}") from None
    if isinstance(params, SendParams):
        _check_message(params)
    return Asked(method, params)


def _check_message(params: SendParams) -> None:
    if params.configuration.task_push_notification_config is not None:
        raise a2a_error(PUSH_NOT_SUPPORTED, "push notifications are not offered here")
    for place, part in enumerate(params.message.parts):
        if len(CONTENTS & part.keys()) != 1 or ("text" in part and not isinstance(part["text"], str)):
            wanted = "exactly one of text, raw, url and data"
            raise RpcError(INVALID_PARAMS, f"params/message/parts/{place}: a part holds {wanted}")


def a2a_error(code: int, message: str, metadata: Mapping[str, str] | None = None) -> RpcError:
    """An error that the specification names."""
    return RpcError(code, message, error_info(REASONS[code], DOMAIN, metadata))


def error_info(reason: str, domain: str, metadata: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """What programs are told of an error."""
    info: Json = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain}
    return [{**info, "metadata": dict(metadata)} if metadata else info]
