"""
The agents' face: what an agent reaches with its virtual key, as raw ASGI because every call passes here.

    POST /v1/chat/completions        GET /v1/models, /v1/models/{id}        POST /v1/executions/{id}/result
    /v1/memory… (see `memory_face.py`)

Every other path goes to the service's app behind it. Errors have the provider's shape, so that stock SDKs
understand them. What happens within a model call is in `model_calls.py`.
"""

from types import SimpleNamespace
from uuid import UUID

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from services.agent_gateway.active import ActiveExecutions, NotYours, attribute
from services.agent_gateway.dispatcher import Dispatcher
from services.agent_gateway.invocation import result_of
from services.agent_gateway.keys import Keys
from services.agent_gateway.memory_face import MemoryFace, is_memory, route_of
from services.agent_gateway.model_calls import ModelCalls
from services.agent_gateway.queue_store import QueueStore
from services.agent_gateway.records import Active, Holder
from services.agent_gateway.replies import Gone, Reply, TooBig, read_body
from services.agent_gateway.script import FAILURES, MODEL_PREFIX
from services.agent_gateway.shapes import error_body
from services.agent_gateway.upstreams import Upstreams
from services.chassis.errors import PlatformError

PREFIX = "/v1/"
CHAT = "/v1/chat/completions"
MODELS = "/v1/models"
SCRIPTED_MODELS = tuple(f"{MODEL_PREFIX}{name}" for name in ("default", "echo", *FAILURES))


class Face:
    """Answers agents; knows them by their virtual keys."""

    def __init__(
        self,
        keys: Keys,
        active: ActiveExecutions,
        calls: ModelCalls,
        memory: MemoryFace,
        upstreams: Upstreams,
        queue: QueueStore,
        dispatcher: Dispatcher,
        max_body: int,
    ) -> None:
        self._keys = keys
        self._active = active
        self._calls = calls
        self._memory = memory
        self._upstreams = upstreams
        self._queue = queue
        self._dispatcher = dispatcher
        self._max_body = max_body

    def before(self, inner: ASGIApp) -> ASGIApp:
        """An app that answers agents itself and leaves the rest to the inner one."""

        async def front(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"].startswith(PREFIX):
                await self._answer(scope, receive, send)
            else:
                await inner(scope, receive, send)

        return front

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        reply = Reply(send)
        try:
            holder = await self._holder(headers)
            if holder is None:
                body = error_body(
                    "invalid_api_key",
                    "invalid_request_error",
                    "The virtual key is unknown, revoked or expired.",
                )
                await reply.whole(401, body)
                return
            await self._route(scope, receive, headers, holder, reply)
        except NotYours as error:
            await reply.whole(403, error_body("policy_denied", "permission_error", str(error)))
        except TooBig as error:
            await reply.whole(413, error_body("request_too_large", "invalid_request_error", str(error)))
        except PlatformError as error:
            await reply.whole(error.status, error_body(error.code, "server_error", error.detail))
        except Gone:
            return

    async def _route(
        self, scope: Scope, receive: Receive, headers: dict[bytes, bytes], holder: Holder, reply: Reply
    ) -> None:
        method, path = scope["method"], scope["path"]
        if path == CHAT and method == "POST":
            scope["route"] = SimpleNamespace(path=CHAT)
            await self._calls.chat(holder, self._attributed(holder, headers), receive, reply)
        elif is_memory(path):
            scope["route"] = SimpleNamespace(path=route_of(path))
            await self._memory.answer(scope, receive, holder, self._attributed(holder, headers), reply)
        elif path == MODELS and method == "GET":
            scope["route"] = SimpleNamespace(path=MODELS)
            await self._models(holder, reply)
        elif path.startswith(f"{MODELS}/") and method == "GET":
            scope["route"] = SimpleNamespace(path=f"{MODELS}/{{id}}")
            await self._model(path.removeprefix(f"{MODELS}/"), holder, reply)
        elif path.startswith("/v1/executions/") and path.endswith("/result") and method == "POST":
            scope["route"] = SimpleNamespace(path="/v1/executions/{id}/result")
            await self._result(path.split("/")[3], holder, await read_body(receive, self._max_body), reply)
        else:
            message = f"There is no {method} {path} here."
            await reply.whole(404, error_body("not_found", "invalid_request_error", message))

    def _attributed(self, holder: Holder, headers: dict[bytes, bytes]) -> Active | None:
        named = _text(headers, b"x-agentplane-execution-id")
        return attribute(holder, self._active, named, _text(headers, b"traceparent"))

    async def _holder(self, headers: dict[bytes, bytes]) -> Holder | None:
        given = headers.get(b"authorization", b"")
        key = given[7:] if given[:7].lower() == b"bearer " else headers.get(b"x-api-key", b"")
        return await self._keys.find(key.decode("latin-1").strip()) if key else None

    async def _models(self, holder: Holder, reply: Reply) -> None:
        models = [_model(name) for name in SCRIPTED_MODELS] + await self._upstreams.models(holder)
        await reply.whole(200, orjson.dumps({"object": "list", "data": models}))

    async def _model(self, name: str, holder: Holder, reply: Reply) -> None:
        if self._upstreams.is_scripted(name):
            await reply.whole(200, orjson.dumps(_model(name)))
            return
        found = [model for model in await self._upstreams.models(holder) if model.get("id") == name]
        if found:
            await reply.whole(200, orjson.dumps(found[0]))
        else:
            message = f"The model {name[:200]!r} does not exist."
            await reply.whole(404, error_body("model_not_found", "invalid_request_error", message, "model"))

    async def _result(self, named: str, holder: Holder, body: bytes, reply: Reply) -> None:
        active = await self._of_result(named, holder)
        done = await self._dispatcher.finish(active, result_of(body))
        message = f"Execution {active.id} has ended already."
        if done:
            await reply.whole(200, orjson.dumps({"execution_id": str(active.id), "accepted": True}))
        else:
            await reply.whole(409, error_body("illegal_state", "invalid_request_error", message))

    async def _of_result(self, named: str, holder: Holder) -> Active:
        try:
            execution_id = UUID(named)
        except ValueError:
            raise NotYours(f"{named[:80]!r} is not an execution's id") from None
        active = self._active.get(execution_id) or await self._queue.load(execution_id)
        if (
            active is None
            or active.run_id != holder.run_id
            or holder.execution_id not in {None, execution_id}
        ):
            raise NotYours(f"this key is not good for execution {execution_id}, or it has ended")
        return active


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "agentplane"}


def _text(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return value.decode("latin-1") if value else None
