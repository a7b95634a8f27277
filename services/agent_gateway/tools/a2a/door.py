"""The door to other agents as A2A clients know it: `POST /a2a/{agent}`, and the agent's card beside it."""

import hashlib

import orjson
from starlette.types import Receive, Scope

from services.agent_gateway.calls import Call
from services.agent_gateway.records import Active, Holder
from services.agent_gateway.replies import Reply, read_body
from services.agent_gateway.tools.a2a.calls import A2aCalls
from services.agent_gateway.tools.a2a.card import card_of
from services.agent_gateway.tools.a2a.rpc import VERSION_HEADER
from services.agent_gateway.tools.agent_tools import AgentTools
from services.agent_gateway.tools.connections import while_connected
from services.chassis.clock import Clock
from services.contracts.steps import StepKind

PREFIX, CARD = "/a2a/", "/.well-known/agent-card.json"
CARD_SECONDS = 60


class A2aDoor:
    """Answers A2A clients."""

    def __init__(self, agents: AgentTools, calls: A2aCalls, clock: Clock, max_bytes: int) -> None:
        self._agents = agents
        self._calls = calls
        self._clock = clock
        self._max_bytes = max_bytes

    def route(self, method: str, path: str) -> str | None:
        """The route of a request; null when it is not answered here."""
        if not path.startswith(PREFIX):
            return None
        name, card = _name(path), path.endswith(CARD)
        if not name or "/" in name or method != ("GET" if card else "POST"):
            return None
        return f"{PREFIX}{{agent}}{CARD if card else ''}"

    async def answer(
        self, scope: Scope, receive: Receive, holder: Holder, active: Active | None, reply: Reply
    ) -> None:
        """Answer a request, or show the card."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        name = _name(scope["path"])
        if scope["method"] == "GET":
            await self._show(holder, name, f"{scope['scheme']}://{headers.get('host', '')}", headers, reply)
            return
        call = Call(holder, active, f"agents/{name}"[:300], self._clock.now())
        call.kind, call.provider = StepKind.A2A, "agents"
        call.request = await read_body(receive, self._max_bytes)
        await while_connected(self._calls.answer(call, name, headers.get(VERSION_HEADER), reply), receive)

    async def _show(
        self, holder: Holder, name: str, base: str, headers: dict[str, str], reply: Reply
    ) -> None:
        agent = await self._agents.known(holder.org_id, name)
        body = orjson.dumps(card_of(agent, f"{base}{PREFIX}{agent.agent_name}"))
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        cached = f"private, max-age={CARD_SECONDS}".encode()
        told = [(b"cache-control", cached), (b"etag", tag.encode())]
        if headers.get("if-none-match") == tag:
            await reply.whole(304, b"", told)
        else:
            await reply.whole(200, body, told)


def _name(path: str) -> str:
    return path.removeprefix(PREFIX).removesuffix(CARD).removesuffix("/")
