"""Agents and MCP servers of both ages, through the gateway, with the official client and server."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from mcp import MCPError

from services.agent_gateway.replay.keys import tool_key
from services.agent_gateway.tools import responder
from services.chassis.errors import AlreadyExists, Invalid, NotFound, UnsafeUrl
from services.chassis.ids import new_id
from services.contracts.secrets_manager import PutSecret, SecretsManagerClient
from services.contracts.steps import Effect, StepKind
from services.contracts.tools import Decide, PutMcpServer, ToolsClient, authorization_path
from tests.platform import make_organisation
from tests.services.agent_gateway.conftest import World, eventually
from tests.services.agent_gateway.tools.conftest import (
    LEGACY,
    STATELESS,
    ServeTools,
    again,
    agent,
    register,
    set_policy,
    text,
)

MOCK = ["book", "climb", "fail", "look", "put", "refund", "travel"]


@pytest.mark.parametrize("mode", ["auto", "legacy", STATELESS])
@pytest.mark.parametrize("legacy", [False, True], ids=["new-server", "old-server"])
async def test_clients_and_servers_of_every_age(
    open_world: World, serve: ServeTools, mode: str, legacy: bool
) -> None:
    tools = await serve(legacy=legacy)
    server = await register(open_world, tools)
    caller = await agent(open_world)
    async with caller.client("mock", mode) as client:
        assert client.protocol_version == (LEGACY if mode == "legacy" else STATELESS)
        assert [tool.name for tool in (await client.list_tools()).tools] == MOCK
        result = await client.call_tool("look", {"what": "here"})
        assert (result.is_error, text(result.content)) == (False, "did look here 1")
        gone = await client.call_tool("travel", {"region": "Østfold"})
        assert text(gone.content) == "arrived in Østfold"
        failed = await client.call_tool("fail", {"what": "this"})
        assert failed.is_error and "cannot this" in text(failed.content)
        assert text((await client.read_resource("note://one")).contents) == "the first note"
        prompt = await client.get_prompt("greet", {"who": "Ada"})
        assert "Ada" in text([prompt.messages[0].content])
        assert [each.name for each in (await client.list_prompts()).prompts] == ["greet"]
        assert [str(each.uri) for each in (await client.list_resources()).resources] == ["note://one"]
        seen: list[tuple[float, float | None]] = []

        async def heard(progress: float, total: float | None, message: str | None) -> None:
            seen.append((progress, total))

        climbed = await client.call_tool("climb", {"steps": 3}, progress_callback=heard)
        assert text(climbed.content) == "up" and seen == [(1, 3), (2, 3), (3, 3)]
    found = await open_world.platform.client(ToolsClient).get_server(open_world.org_id, server.id)
    assert found.protocol == (LEGACY if legacy else STATELESS)
    names = [step.name for step in await caller.steps()]
    assert names == [
        "mock/look",
        "mock/travel",
        "mock/fail",
        "mock/resources/read",
        "mock/prompts/get",
        "mock/climb",
    ]


async def test_a_call_is_a_step_with_its_exact_bytes(open_world: World, serve: ServeTools) -> None:
    tools = await serve()
    await register(open_world, tools)
    caller = await agent(open_world)
    raw = (
        b'{"jsonrpc":"2.0", "id": 7, "method":"tools/call","params":{"arguments":{"what":"a"},"name":"book"}}'
    )
    status, body, _ = await post(caller, "/mcp/mock", raw)
    assert status == 200 and json.loads(body)["id"] == 7
    (step,) = await caller.steps()
    assert step.request_text == raw.decode() and step.response_text == body.decode()
    assert (step.kind, step.name, step.effect, step.provider) == (
        StepKind.TOOL, "mock/book", Effect.WRITE, "mock",
    )  # fmt: skip
    assert step.key == tool_key("mock", "book", {"what": "a"}).hex()
    assert tools.calls == {"book a": 1} and len(tools.keys) == 1


async def test_all_servers_on_one_endpoint(open_world: World, serve: ServeTools) -> None:
    tools, away = await serve(), await serve()
    await register(open_world, tools)
    await register(open_world, tools, "other")
    await register(open_world, tools, "hidden", agents=[])
    away.url = "http://127.0.0.1:9/mcp"
    await register(open_world, away, "away")
    caller = await agent(open_world)
    async with caller.client() as client:
        listed = await client.list_tools()
        names = [tool.name for tool in listed.tools]
        assert "agents__invoke" in names and "memory__remember" in names
        assert [name for name in names if name.startswith("mock")] == [f"mock__{name}" for name in MOCK]
        assert not [name for name in names if name.startswith(("hidden", "away"))]
        assert "away" in (listed.meta or {})["dev.agentplane/unavailable"]
        result = await client.call_tool("other__book", {"what": "b"})
        assert text(result.content) == "did book b 1"
        assert text((await client.read_resource("note://one")).contents) == "the first note"
        for name in ("hidden__book", "mock__nothing", "book", "away__book"):
            with pytest.raises(MCPError):
                result = await client.call_tool(name, {"what": "b"})
                raise MCPError(0, str(result)) if result.is_error else AssertionError(result)
    assert sum(tools.calls.values()) == 1


async def post(caller: Any, path: str, raw: bytes, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    sent = {**caller.headers, "Content-Type": "application/json", **headers}
    url = f"{caller.world.url}{path}"
    async with aiohttp.ClientSession() as session, session.post(url, data=raw, headers=sent) as answer:
        return answer.status, await answer.read(), dict(answer.headers)


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"{no", 400, -32700),
        (b"[]", 400, -32600),
        (b'{"jsonrpc":"2.0","id":1}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"nothing"}', 404, -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}', 200, -32602),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"no","arguments":{}}}',
            200,
            -32602,
        ),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}', 400, -32600),
    ],
)
async def test_bad_requests(open_world: World, serve: ServeTools, raw: bytes, status: int, code: int) -> None:
    await register(open_world, await serve())
    caller = await agent(open_world)
    answered, body, _ = await post(caller, "/mcp/mock", raw)
    assert (answered, json.loads(body)["error"]["code"]) == (status, code)


async def test_headers_of_the_stateless_revision_are_checked(open_world: World, serve: ServeTools) -> None:
    await register(open_world, await serve())
    caller = await agent(open_world)
    meta = {"io.modelcontextprotocol/protocolVersion": STATELESS}
    params = {"name": "look", "arguments": {"what": "x"}, "_meta": meta}
    raw = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    right = {"MCP-Protocol-Version": STATELESS, "Mcp-Method": "tools/call", "Mcp-Name": "=?base64?bG9vaw==?="}
    assert (await post(caller, "/mcp/mock", raw, **right))[0] == 200
    for wrong in ({"MCP-Protocol-Version": LEGACY}, {"Mcp-Method": "tools/list"}, {"Mcp-Name": "book"}):
        status, body, _ = await post(caller, "/mcp/mock", raw, **{**right, **wrong})
        assert (status, json.loads(body)["error"]["code"]) == (400, -32020)
    assert (await post(caller, "/mcp/mock", raw, **right, Origin="https://evil.example"))[0] == 403
    url = f"{open_world.url}/mcp/mock"
    async with aiohttp.ClientSession() as session:
        async with session.get(url, headers=caller.headers) as answer:
            assert answer.status == 405
        async with session.post(url) as answer:
            assert answer.status == 401


async def test_a_session_outlives_the_gateway_and_a_server_that_forgot_it(
    open_world: World, serve: ServeTools
) -> None:
    tools = await serve(legacy=True)
    server = await register(open_world, tools)
    caller = await agent(open_world)
    assert await caller.call("look") == "did look x 1"
    upstream = open_world.gateway.tools.catalogue._upstream
    for (server_id, _), session in upstream._sessions.items():
        assert server_id == server.id
        session.id = "f" * 32
    assert await caller.call("look") == "did look x 2"


async def test_a_server_that_was_replaced_by_a_newer_one(open_world: World, serve: ServeTools) -> None:
    old, new = await serve(legacy=True), await serve()
    server = await register(open_world, old)
    caller = await agent(open_world)
    assert await caller.call("look") == "did look x 1"
    await register(open_world, new, server_id=server.id)
    await asyncio.sleep(1.1)
    assert await caller.call("look") == "did look x 1"
    assert new.calls == {"look x": 1}


async def test_credentials_come_from_the_vault_and_are_never_shown(
    open_world: World, serve: ServeTools
) -> None:
    tools = await serve()
    server = await register(open_world, tools, has_authorization=True)
    vault = open_world.platform.client(SecretsManagerClient, "backend")
    secret = PutSecret(path=authorization_path(server.id), value="Bearer canary-1", actor="user:t")
    await vault.put(open_world.org_id, secret)
    caller = await agent(open_world)
    assert await caller.call("look") == "did look x 1"
    assert tools.authorizations == {"Bearer canary-1"}
    assert "canary" not in (await caller.steps())[0].model_dump_json()
    await vault.destroy(open_world.org_id, f"mcp-servers/{server.id}")


async def test_private_addresses_and_taken_names_are_refused(open_world: World, serve: ServeTools) -> None:
    tools = await serve()
    await register(open_world, tools)
    with pytest.raises(AlreadyExists):
        await register(open_world, tools)
    with pytest.raises(Invalid):
        await register(open_world, tools, "memory")
    tools.url = "http://10.0.0.7/mcp"
    with pytest.raises(UnsafeUrl):
        await register(open_world, tools, "inside")


async def test_a_long_call_keeps_its_connection_alive(
    open_world: World, serve: ServeTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(responder, "KEEP_ALIVE_SECONDS", 0.05)
    tools = await serve()
    await register(open_world, tools)
    caller = await agent(open_world)
    tools.hold = asyncio.Event()
    params = {"name": "book", "arguments": {"what": "x"}}
    raw = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    streaming = asyncio.create_task(
        post(caller, "/mcp/mock", raw, Accept="application/json, text/event-stream")
    )
    plain = asyncio.create_task(post(caller, "/mcp/mock", raw, Accept="application/json"))
    await asyncio.sleep(0.5)
    tools.hold.set()
    (_, streamed, headers), (_, whole, _) = await streaming, await plain
    assert headers["Content-Type"].startswith("text/event-stream") and streamed.count(b": waiting") > 2
    assert b"did book x" in streamed.splitlines()[-2] and "result" in json.loads(whole)
    texts = [step.response_text for step in await caller.steps()]
    assert whole.decode() in texts and all("waiting" not in str(text) for text in texts)


async def test_servers_of_another_organisation_do_not_exist(open_world: World, serve: ServeTools) -> None:
    tools = await serve()
    other = await make_organisation(open_world.platform.db)
    client = open_world.platform.client(ToolsClient)
    put = {"id": new_id(), "name": "theirs", "url": tools.url, "has_authorization": False}
    server = await client.put_server(other, PutMcpServer(**put, effects={}, agents=None))
    caller = await agent(open_world)
    async with caller.client() as mine:
        assert not [tool for tool in (await mine.list_tools()).tools if tool.name.startswith("theirs")]
        with pytest.raises(MCPError):
            await mine.call_tool("theirs__book", {"what": "x"})
    with pytest.raises(NotFound):
        await client.get_server(open_world.org_id, server.id)
    with pytest.raises(NotFound):
        await client.delete_server(open_world.org_id, server.id)
    assert not tools.calls


async def test_a_call_that_belongs_to_no_known_execution(open_world: World, serve: ServeTools) -> None:
    tools = await serve()
    await register(open_world, tools)
    caller = await agent(open_world)
    caller.key = (await open_world.key()).key
    caller.headers = {"Authorization": f"Bearer {caller.key}"}
    assert await caller.call("book") == "did book x 1"
    await set_policy(open_world, tools=[{"tool": "mock/*", "action": "approve"}])
    assert "not known which execution" in await caller.call("book")
    assert not await caller.steps()
    rows = await open_world.platform.db.fetch(
        "SELECT execution_id FROM steps WHERE org_id = $1 AND name = 'mock/book'", open_world.org_id
    )
    assert [row["execution_id"] for row in rows] == [None, None]


async def test_what_postgresql_cannot_hold_passes_all_the_same(open_world: World, serve: ServeTools) -> None:
    tools = await serve()
    await register(open_world, tools)
    caller = await agent(open_world)
    assert await caller.call("book", "a\x00b") == "did book a\x00b 1"
    assert await caller.call("fail", "a\x00b") == "error: Error executing tool fail: cannot a\x00b"
    second = await again(caller)
    assert await second.call("book", "a\x00b") == "did book a\x00b 1"
    async with second.client("mock") as client:
        with pytest.raises(MCPError):
            await client.call_tool("no\x00thing", {})
    await set_policy(open_world, tools=[{"tool": "mock/*", "action": "approve"}])
    calling = asyncio.create_task(second.call("refund", "a\x00b"))
    people = open_world.platform.client(ToolsClient)
    (held,) = await eventually(lambda: _items(people, open_world))
    assert held.arguments == {"what": "a\x00b"}
    await people.decide(open_world.org_id, held.id, Decide(approve=True), "user:t")
    assert await calling == "did refund a\x00b 1"


async def _items(client: ToolsClient, world: World) -> Any:
    return (await client.list_approvals(world.org_id)).items


@pytest.mark.parametrize("depth", [200, 251, 252, 253, 254, 255, 300, 2000])
async def test_deep_arguments(open_world: World, serve: ServeTools, depth: int) -> None:
    await register(open_world, await serve())
    caller = await agent(open_world)
    deep = b'{"a":' * depth + b"1" + b"}" * depth
    raw = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"book","arguments":' + deep + b"}}"
    status, body, _ = await post(caller, "/mcp/mock", raw)
    assert status in (200, 400) and json.loads(body)["jsonrpc"] == "2.0"
