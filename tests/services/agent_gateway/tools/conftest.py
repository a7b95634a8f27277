"""A real MCP server that counts what it is asked, and agents that use the official client."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field
from starlette.types import ASGIApp, Receive, Scope, Send

from services.agent_gateway.outcomes import Failed
from services.chassis.ids import new_id
from services.chassis.runner import listen_on
from services.contracts.agents import Cause
from services.contracts.executions import Execution
from services.contracts.spending import Policy, SpendingClient
from services.contracts.steps import Effect, StepDetail
from services.contracts.tools import McpServer, PutMcpServer, ToolsClient
from tests.services.agent_gateway.conftest import World, eventually

STATELESS, LEGACY = "2026-07-28", "2025-11-25"


@dataclass
class Tools:
    """The mock tools: what was called, with which idempotency keys, and what holds them up."""

    calls: Counter[str] = field(default_factory=Counter)
    keys: list[str | None] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    authorizations: set[str | None] = field(default_factory=set)
    hold: asyncio.Event | None = None
    cut: bool = False
    url: str = ""

    async def did(self, what: str) -> str:
        self.calls[what] += 1
        if self.hold is not None:
            await self.hold.wait()
        return f"did {what} {self.calls[what]}"

    def server(self) -> MCPServer:
        server = MCPServer("mock")

        @server.tool(annotations=ToolAnnotations(read_only_hint=True))
        async def look(what: str) -> str:
            """Look something up."""
            return await self.did(f"look {what}")

        @server.tool()
        async def book(what: str) -> str:
            """Book something."""
            return await self.did(f"book {what}")

        @server.tool(annotations=ToolAnnotations(destructive_hint=True))
        async def refund(what: str) -> str:
            """Pay money back."""
            return await self.did(f"refund {what}")

        @server.tool(annotations=ToolAnnotations(destructive_hint=False, idempotent_hint=True))
        async def put(what: str) -> str:
            """Set something."""
            return await self.did(f"put {what}")

        @server.tool()
        async def fail(what: str) -> str:
            """Fail."""
            self.calls["fail"] += 1
            raise ToolError(f"cannot {what}")

        @server.tool(annotations=ToolAnnotations(read_only_hint=True))
        async def climb(steps: int, context: Context[Any, Any]) -> str:
            """Report progress."""
            for step in range(steps):
                await context.report_progress(step + 1, steps, f"step {step + 1}")
            return "up"

        @server.tool(annotations=ToolAnnotations(read_only_hint=True))
        async def travel(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})]) -> str:
            """Go somewhere; the region is said in a header too."""
            return f"arrived in {region}"

        @server.resource("note://one")
        def note() -> str:
            """A note."""
            return "the first note"

        @server.prompt()
        def greet(who: str) -> str:
            """Greet somebody."""
            return f"Say hello to {who}."

        return server

    def app(self, *, legacy: bool) -> ASGIApp:
        inner = self.server().streamable_http_app()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                headers = dict(scope["headers"])
                version = headers.get(b"mcp-protocol-version", b"").decode()
                self.versions[version] += 1
                given = headers.get(b"authorization")
                self.authorizations.add(given.decode() if given else None)
                if b"idempotency-key" in headers:
                    self.keys.append(headers[b"idempotency-key"].decode())
                if legacy and version == STATELESS:
                    await _old(scope, receive, send)
                    return
            await inner(scope, receive, self._cutting(send) if scope["type"] == "http" else send)

        return app

    def _cutting(self, send: Send) -> Send:
        async def cutting(message: Any) -> None:
            if self.cut and self.calls:
                raise ConnectionResetError("cut in the middle of the answer")
            await send(message)

        return cutting


async def _old(scope: Scope, receive: Receive, send: Send) -> None:
    """As a server answers that knows sessions only."""
    error = {"code": -32600, "message": "Bad Request: Missing session ID"}
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})


ServeTools = Callable[..., Awaitable[Tools]]


@pytest.fixture
async def serve() -> AsyncIterator[ServeTools]:
    """Starts mock MCP servers."""
    async with AsyncExitStack() as stack:

        async def start(*, legacy: bool = False) -> Tools:
            tools = Tools()
            bound = listen_on("127.0.0.1", 0)
            tools.url = f"http://127.0.0.1:{bound.getsockname()[1]}/mcp"
            config = uvicorn.Config(tools.app(legacy=legacy), log_level="critical", lifespan="on")
            server = uvicorn.Server(config)
            task = asyncio.create_task(server.serve(sockets=[bound]))
            await eventually(lambda: server.started)

            async def stop() -> None:
                if tools.hold is not None:
                    tools.hold.set()
                server.should_exit = server.force_exit = True
                await asyncio.wait([task], timeout=5)

            stack.push_async_callback(stop)
            return tools

        yield start


class Agent:
    """An agent's side: a key, its execution, and connections with the official client."""

    def __init__(self, world: World, key: str, execution: Execution) -> None:
        self.world, self.key, self.execution = world, key, execution
        self.headers = {"Authorization": f"Bearer {key}"}

    @asynccontextmanager
    async def client(self, server: str = "", mode: str = "auto") -> AsyncIterator[Client]:
        url = f"{self.world.url}/mcp{'/' + server if server else ''}"
        timeout = httpx2.Timeout(20, read=20)
        async with (
            httpx2.AsyncClient(headers=self.headers, timeout=timeout) as http,
            Client(streamable_http_client(url, http_client=http), mode=mode, cache=None) as client,
        ):
            yield client

    async def call(self, tool: str, what: str = "x", server: str = "mock") -> str:
        """One tool call; an error is told as `error: …`."""
        async with self.client(server) as client:
            result = await client.call_tool(tool, {"what": what})
        text = " ".join(getattr(part, "text", "") for part in result.content)
        return f"error: {text}" if result.is_error else text

    async def steps(self) -> list[StepDetail]:
        page = await self.world.journal.timeline(self.world.org_id, self.execution.id)
        return [
            await self.world.journal.step(self.world.org_id, self.execution.id, step.seq)
            for step in page.items
        ]

    async def status(self) -> str:
        found = await self.world.client.get(self.world.org_id, self.execution.id)
        return found.status.value


async def agent(world: World, *, attempt: int = 1, execution: Execution | None = None, **key: Any) -> Agent:
    """An attempt of a job that this process works on; the test is its process."""
    made = execution or await world.create({}, mode="job", max_attempts=9)
    if execution is None:
        await eventually(lambda: any(job.execution_id == made.id for job in world.neighbours.jobs))
    issued = await world.key(execution_id=made.id, attempt=attempt, run_id=new_id(), **key)
    return Agent(world, issued.key, made)


async def again(before: Agent) -> Agent:
    """The next attempt of an execution, as after the death of the agent's process."""
    world, execution = before.world, before.execution
    active = world.gateway._active.get(execution.id)
    assert active is not None
    await world.gateway.dispatcher.finish(active, Failed(Cause.NODE_LOST, "killed by the test"))
    number = active.attempt + 1
    await eventually(
        lambda: (now := world.gateway._active.get(execution.id)) is not None and now.attempt == number
    )
    return await agent(world, attempt=number, execution=execution)


def text(contents: Any) -> str:
    """The text of the first part of a result."""
    return str(contents[0].text)


async def register(
    world: World,
    tools: Tools,
    name: str = "mock",
    *,
    effects: dict[str, Effect] | None = None,
    agents: list[UUID] | None = None,
    has_authorization: bool = False,
    server_id: UUID | None = None,
) -> McpServer:
    client = world.platform.client(ToolsClient)
    put = PutMcpServer(
        id=server_id or new_id(),
        name=name,
        url=tools.url,
        has_authorization=has_authorization,
        effects=effects or {},
        agents=agents,
    )
    return await client.put_server(world.org_id, put)


async def set_policy(world: World, **policy: Any) -> None:
    await world.platform.client(SpendingClient).set_policy(world.org_id, Policy(**policy), "user:test")


@pytest.fixture
async def open_world(make_world: Any) -> World:
    """A data path that may call servers of this machine."""
    made: World = await make_world(private="127.0.0.1", default_route="scripted")
    return made
