"""
Servers of tools that are down, refuse, break off, answer nonsense or nothing: the agent's client gets an
answer it understands, the step says why, and nothing hangs.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from services.contracts.agents import Cause
from services.embedded.testing import free_port
from tests.services.agent_gateway.conftest import World, WorldMaker
from tests.services.agent_gateway.tools.conftest import STATELESS, Tools, agent, register

SCHEMA = {"type": "object", "properties": {"what": {"type": "string"}}}


class BrokenServer:
    """An MCP server whose tool ends in the way that its name says."""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/mcp", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if asked["method"] == "tools/call":
            return await self._broken(request, asked["params"]["name"])
        ways = ("refuses", "limits", "fails", "garbage", "cuts", "grows", "hangs", "nothing")
        tools = [{"name": way, "inputSchema": SCHEMA, "annotations": {"readOnlyHint": True}} for way in ways]
        info = {"name": "broken", "version": "1"}
        found: dict[str, Any] = {"supportedVersions": [STATELESS], "capabilities": {"tools": {}}}
        found |= {"serverInfo": info, "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
        listed = {"tools": tools, "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
        result = found if asked["method"] == "server/discover" else listed
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": result})

    async def _broken(self, request: web.Request, way: str) -> web.StreamResponse:
        if way == "refuses":
            return web.Response(status=401)
        if way == "limits":
            return web.Response(status=429, headers={"Retry-After": "7"})
        if way == "fails":
            return web.Response(status=500, text="oops")
        if way == "garbage":
            return web.Response(text="<html>", content_type="application/json")
        if way == "nothing":
            return web.Response(status=200)
        if way == "hangs":
            await asyncio.Event().wait()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: {" + (b"x" * 300_000 if way == "grows" else b""))
        assert request.transport is not None
        request.transport.abort()
        return response


@pytest.fixture
async def broken() -> AsyncIterator[Tools]:
    runner = web.AppRunner(BrokenServer().app(), shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port := free_port()).start()
    yield Tools(url=f"http://127.0.0.1:{port}/mcp")
    await runner.cleanup()


@pytest.fixture
async def impatient(make_world: WorldMaker) -> World:
    """A data path that waits for a tool for a second, and takes small answers only."""
    knobs: dict[str, Any] = {"default_route": "scripted", "tool_seconds": 1, "max_call_bytes": 200_000}
    made: World = await make_world(private="127.0.0.1", **knobs)
    return made


WAYS = {
    "refuses": "it wants other credentials",
    "limits": "429, and to ask again after 7 s",
    "fails": "500 and nothing of the protocol",
    "garbage": "nothing of the protocol",
    "nothing": "nothing of the protocol",
    "cuts": "broke off",
    "grows": "",
    "hangs": "",
}


async def test_a_broken_server_is_a_tool_error_with_its_reason(impatient: World, broken: Tools) -> None:
    await register(impatient, broken)
    for way, reason in WAYS.items():
        caller = await agent(impatient)
        async with asyncio.timeout(30):
            said = await caller.call(way)
        assert said.startswith("error: ") and reason in said, (way, said)
        (step,) = await caller.steps()
        assert (step.status, step.cause, step.name) == ("failed", Cause.TOOL_FAILED, f"mock/{way}"), way
        assert step.error and reason in step.error, (way, step.error)


async def test_a_server_that_is_down_is_told_in_the_protocols_words(impatient: World, broken: Tools) -> None:
    broken.url = "http://127.0.0.1:9/mcp"
    await register(impatient, broken)
    caller = await agent(impatient)
    params = {"name": "look", "arguments": {}}
    raw = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    status, document = await _posted(impatient, raw, caller.key)
    assert status == 200 and document["id"] == 1
    assert "is not reachable" in json.dumps(document) or "127.0.0.1" in json.dumps(document), document


@pytest.mark.parametrize("key", ["ap_vk_wrong", ""])
async def test_a_wrong_key_opens_nothing(impatient: World, broken: Tools, key: str) -> None:
    await register(impatient, broken)
    caller = await agent(impatient)
    raw = b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "fails", "arguments": {}}}'
    status, document = await _posted(impatient, raw, key)
    assert status == 401 and document["error"]["message"]
    assert not await caller.steps()


async def test_a_request_that_is_too_large_is_refused(impatient: World, broken: Tools) -> None:
    await register(impatient, broken)
    caller = await agent(impatient)
    params = {"name": "fails", "arguments": {"what": "x" * 300_000}}
    raw = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    status, document = await _posted(impatient, raw, caller.key)
    assert status == 413 and document["error"]["message"]


async def _posted(world: World, raw: bytes, key: str) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    async with (
        asyncio.timeout(30),
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{world.url}/mcp/mock", data=raw) as answer,
    ):
        return answer.status, await answer.json()
