"""The door to models: `POST /v1/chat/completions`, `GET /v1/models` and `GET /v1/models/{id}`."""

import orjson
from starlette.types import Receive, Scope

from services.agent_gateway.model_calls import CHAT, ModelCalls
from services.agent_gateway.records import Active, Holder
from services.agent_gateway.replies import Reply
from services.agent_gateway.script import FAILURES, MODEL_PREFIX
from services.agent_gateway.shapes import error_body
from services.agent_gateway.upstreams import Upstreams

MODELS = "/v1/models"
SCRIPTED_MODELS = tuple(f"{MODEL_PREFIX}{name}" for name in ("default", "echo", *FAILURES))


class ModelDoor:
    """Answers what OpenAI's SDKs ask."""

    def __init__(self, calls: ModelCalls, upstreams: Upstreams) -> None:
        self._calls = calls
        self._upstreams = upstreams

    def route(self, method: str, path: str) -> str | None:
        """The route of a request; null when it is not answered here."""
        if method == "POST" and path == CHAT:
            return CHAT
        if method == "GET" and path == MODELS:
            return MODELS
        return f"{MODELS}/{{id}}" if method == "GET" and path.startswith(f"{MODELS}/") else None

    async def answer(
        self, scope: Scope, receive: Receive, holder: Holder, active: Active | None, reply: Reply
    ) -> None:
        """Carry a model call, or list models."""
        path = scope["path"]
        if path == CHAT:
            await self._calls.chat(holder, active, receive, reply)
        elif path == MODELS:
            models = [_model(name) for name in SCRIPTED_MODELS] + await self._upstreams.models(holder)
            await reply.whole(200, orjson.dumps({"object": "list", "data": models}))
        else:
            await self._model(path.removeprefix(f"{MODELS}/"), holder, reply)

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


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "agentplane"}
