"""The door to models: every path of `dialects/` by POST, and the lists of models that SDKs ask for."""

from typing import Any

import orjson
from starlette.types import Receive, Scope

from services.agent_gateway.calls import Call
from services.agent_gateway.dialects.chat import Chat
from services.agent_gateway.dialects.dialect import Dialect, Provider
from services.agent_gateway.dialects.embeddings import Embeddings
from services.agent_gateway.dialects.errors import errors_for
from services.agent_gateway.dialects.messages import CountTokens, Messages
from services.agent_gateway.dialects.responses import Responses
from services.agent_gateway.model_calls import ModelCalls
from services.agent_gateway.records import Active, Holder
from services.agent_gateway.replies import Reply
from services.agent_gateway.script import FAILURES, MODEL_PREFIX
from services.agent_gateway.upstreams import Upstreams
from services.chassis.clock import Clock

MODELS = "/v1/models"
SCRIPTED_MODELS = tuple(f"{MODEL_PREFIX}{name}" for name in ("default", "echo", *FAILURES))
# Which API an agent asks for; the key and everything else it sends stays here.
PASSED_ON = (b"anthropic-version", b"anthropic-beta", b"openai-beta")


class ModelDoor:
    """Answers what the SDKs of model providers ask."""

    def __init__(self, calls: ModelCalls, upstreams: Upstreams, clock: Clock) -> None:
        self._calls = calls
        self._upstreams = upstreams
        self._clock = clock
        dialects: list[Dialect] = [Chat(), Responses(), Embeddings(), Messages(), CountTokens()]
        self._dialects = {dialect.path: dialect for dialect in dialects}

    def route(self, method: str, path: str) -> str | None:
        """The route of a request; null when it is not answered here."""
        if method == "POST":
            return path if path in self._dialects else None
        if method == "GET" and path == MODELS:
            return MODELS
        return f"{MODELS}/{{id}}" if method == "GET" and path.startswith(f"{MODELS}/") else None

    async def answer(
        self, scope: Scope, receive: Receive, holder: Holder, active: Active | None, reply: Reply
    ) -> None:
        """Carry a model call, or list models."""
        path, headers = scope["path"], dict(scope["headers"])
        if scope["method"] == "POST":
            call = Call(holder, active, path, self._clock.now())
            call.query = scope["query_string"].decode("latin-1")
            call.passed = {
                name.decode(): headers[name].decode("latin-1") for name in PASSED_ON if name in headers
            }
            await self._calls.carry(call, self._dialects[path], receive, reply)
            return
        provider: Provider = "anthropic" if b"anthropic-version" in headers else "openai"
        if path == MODELS:
            models = [_model(name, provider) for name in SCRIPTED_MODELS]
            models += await self._upstreams.models(holder, provider)
            await reply.whole(200, orjson.dumps(_page(models, provider)))
        else:
            await self._model(path, headers, provider, holder, reply)

    async def _model(
        self, path: str, headers: dict[bytes, bytes], provider: Provider, holder: Holder, reply: Reply
    ) -> None:
        name = path.removeprefix(f"{MODELS}/")
        if self._upstreams.is_scripted(name):
            await reply.whole(200, orjson.dumps(_model(name, provider)))
            return
        models = await self._upstreams.models(holder, provider)
        found = [model for model in models if model.get("id") == name]
        if found:
            await reply.whole(200, orjson.dumps(found[0]))
        else:
            message = f"The model {name[:200]!r} does not exist."
            errors = errors_for(path, headers)
            await reply.whole(404, errors.body(404, "model_not_found", message, "model"))


def _model(name: str, provider: Provider) -> dict[str, Any]:
    if provider == "anthropic":
        return {"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"}
    return {"id": name, "object": "model", "created": 0, "owned_by": "agentplane"}


def _page(models: list[dict[str, Any]], provider: Provider) -> dict[str, Any]:
    if provider == "anthropic":
        ends = {"first_id": models[0]["id"], "last_id": models[-1].get("id")}
        return {"data": models, "has_more": False, **ends}
    return {"object": "list", "data": models}
