"""Memory as tools: the server `memory`, for agents that speak MCP and know nothing else of the platform."""

from typing import Any, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ValidationError

from services.agent_gateway.agent_memory import AgentMemory
from services.agent_gateway.records import Holder
from services.agent_gateway.tools.answers import Lost, NotSent
from services.agent_gateway.tools.effects import Described
from services.agent_gateway.tools.protocol import INVALID_PARAMS, METHOD_NOT_FOUND, Json, RpcError, tool_error
from services.agent_gateway.tools.providers import Order
from services.chassis.errors import Invalid, PlatformError, Unavailable, UpstreamTimeout
from services.contracts.agents import Cause
from services.contracts.memories import ListMemories, SearchMemories, WriteMemory
from services.contracts.steps import Effect, StepKind

M = TypeVar("M", bound=BaseModel)
TEXT: Json = {"type": "string"}
TYPES: Json = {"type": "string", "enum": ["episodic", "semantic", "procedural", "working"]}
ID: Json = {"type": "object", "properties": {"id": TEXT}, "required": ["id"], "additionalProperties": False}


def _schema(required: list[str], **properties: Json) -> Json:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


# name: what a model is told, the arguments, the effect, whether repeating it does no more.
_TOOLS: dict[str, tuple[str, Json, Effect]] = {
    "forget": ("Forget something that was remembered.", ID, Effect.WRITE),
    "get": ("One memory, by its id.", ID, Effect.READ),
    "list": (
        "What is remembered, newest first.",
        _schema(
            [],
            limit={"type": "integer", "minimum": 1, "maximum": 100},
            cursor=TEXT,
            thread_id=TEXT,
            user_id=TEXT,
        ),
        Effect.READ,
    ),
    "remember": (
        "Remember something for later, also in other conversations.",
        _schema(
            ["content"],
            content={**TEXT, "description": "what to remember, in plain words"},
            type=TYPES,
            scope={"type": "string", "enum": ["agent", "thread", "user", "organisation"]},
            thread_id=TEXT,
            user_id=TEXT,
            tags={"type": "array", "items": TEXT},
            importance={"type": "number", "minimum": 0, "maximum": 1},
            ttl_seconds={"type": "integer", "minimum": 1},
        ),
        Effect.WRITE,
    ),
    "search": (
        "Find what was remembered, by meaning and words.",
        _schema(
            ["query"],
            query={**TEXT, "description": "the question, in plain words"},
            limit={"type": "integer", "minimum": 1, "maximum": 100},
            types={"type": "array", "items": TYPES},
            tags={"type": "array", "items": TEXT},
            thread_id=TEXT,
            user_id=TEXT,
        ),
        Effect.READ,
    ),
}


class MemoryTools:
    """Answers the tools of the server `memory`."""

    name = "memory"
    kind = StepKind.MEMORY

    def __init__(self, memory: AgentMemory) -> None:
        self._memory = memory

    async def tools(self, holder: Holder) -> list[Described]:
        """The five of them."""
        return [_described(name) for name in sorted(_TOOLS)]

    async def tool(self, holder: Holder, name: str, arguments: Any) -> Described | None:
        """One of them."""
        return _described(name) if name in _TOOLS else None

    async def call(self, order: Order) -> Json:
        """Do it; what memory refuses is a tool error that says why."""
        try:
            arguments = order.arguments if order.arguments is not None else {}
            if not isinstance(arguments, dict):
                raise Invalid("arguments must be an object")
            found = await self._do(order, arguments)
        except Unavailable as error:
            raise (Lost if isinstance(error, UpstreamTimeout) else NotSent)(error.detail) from error
        except PlatformError as error:
            return {"result": tool_error(error.detail, Cause.TOOL_FAILED.value)}
        text = orjson.dumps(found).decode()
        return {"result": {"content": [{"type": "text", "text": text}], "structuredContent": found}}

    async def listed(self, method: str, what: str) -> list[Json]:
        """It has neither resources nor prompts."""
        return []

    async def fetched(self, order: Order) -> Json:
        """It has neither resources nor prompts."""
        raise RpcError(METHOD_NOT_FOUND, "the server memory has tools only")

    async def _do(self, order: Order, arguments: Json) -> Json:
        holder, memory = order.call.holder, self._memory
        whose = {**arguments, "agent_id": str(holder.agent_id)}
        if order.call.as_of is not None and order.tool in {"search", "list"}:
            whose["as_of"] = order.call.as_of
        match order.tool:
            case "remember":
                return _plain(await self._remember(order, whose))
            case "search":
                found: Json = orjson.loads(
                    await memory.search_json(order.call, _parsed(SearchMemories, whose))
                )
                return found
            case "list":
                return _plain(await memory.listed(order.call, _parsed(ListMemories, whose)))
            case "get":
                return _plain(await memory.get(order.call, _id(arguments)))
            case "forget":
                await memory.delete(order.call, _id(arguments))
                return {"id": str(_id(arguments)), "deleted": True}
        raise RpcError(INVALID_PARAMS, f"there is no tool {order.tool[:80]}")

    async def _remember(self, order: Order, whose: Json) -> BaseModel:
        call = order.call
        source = {
            "source_execution_id": str(call.active.id) if call.active else None,
            "source_step_id": str(call.id) if call.active else None,
        }
        given = _parsed(WriteMemory, {**whose, **source})
        return await self._memory.write(call, given)


def _described(name: str) -> Described:
    text, schema, effect = _TOOLS[name]
    hints = {
        "readOnlyHint": effect is Effect.READ,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": False,
    }
    tool = {"name": name, "description": text, "inputSchema": schema, "annotations": hints}
    return Described("memory", name, tool, effect, "annotations", idempotent=True)


def _plain(model: BaseModel) -> Json:
    document: Json = model.model_dump(mode="json")
    return document


def _parsed(kind: type[M], given: Json) -> M:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(str(part) for part in first["loc"])
        raise Invalid(f"{where}: {first['msg']}" if where else first["msg"]) from None


def _id(arguments: Json) -> UUID:
    try:
        return UUID(str(arguments.get("id")))
    except ValueError:
        raise Invalid(f"id: there is no memory {str(arguments.get('id'))[:80]}") from None
