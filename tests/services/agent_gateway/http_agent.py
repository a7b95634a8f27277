"""A little L1 agent, run as a process of its own: it does what its input says. `http_agent.py PORT`."""

import asyncio
import json
import os
import sys
from typing import Any

import aiohttp
from aiohttp import web

SEEN: list[dict[str, Any]] = []


async def model(request: web.Request, asked: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    url = f"{os.environ['OPENAI_BASE_URL']}/chat/completions"
    body = {"model": asked.get("model", "scripted/echo"), "messages": asked["messages"]}
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as answer:
        document = await answer.json()
    if "error" in document:
        return {"error": document["error"]}
    return document["choices"][0]["message"]["content"]


async def stream(request: web.Request, asked: dict[str, Any]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for n in range(asked.get("tokens", 3)):
        await response.write(f'event: token\ndata: {{"text": "t{n}"}}\n\n'.encode())
        await asyncio.sleep(asked.get("pause", 0))
    if asked.get("error"):
        await response.write(b'event: error\ndata: {"message": "it broke"}\n\n')
    elif not asked.get("cut"):
        await response.write(f"event: done\ndata: {json.dumps({'output': asked.get('output')})}\n\n".encode())
    return response


async def ask(request: web.Request, asked: dict[str, Any], resume: Any) -> web.StreamResponse:
    before = await model(request, {"messages": [{"role": "user", "content": "what is known"}]})
    if resume is not None:
        return web.json_response({"output": [before, resume]})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(f"event: interrupt\ndata: {json.dumps(asked['question'])}\n\n".encode())
    return response


async def later(headers: dict[str, str], asked: dict[str, Any]) -> None:
    await asyncio.sleep(asked.get("after", 0.2))
    auth = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    execution = headers["X-AgentPlane-Execution-Id"]
    url = f"{os.environ['AGENTPLANE_URL']}/v1/executions/{execution}/result"
    result = {"output": asked.get("output")}
    async with aiohttp.ClientSession() as session, session.post(url, json=result, headers=auth) as answer:
        await answer.read()


async def invoke(request: web.Request) -> web.StreamResponse:
    document = await request.json()
    asked: dict[str, Any] = document["input"] if isinstance(document["input"], dict) else {"do": "echo"}
    headers = {k: v for k, v in request.headers.items() if k.startswith(("X-AgentPlane", "Idem", "trace"))}
    SEEN.append({"headers": headers, "body": document})
    attempt = int(headers["X-AgentPlane-Attempt"])
    do = asked["do"][min(attempt, len(asked["do"])) - 1] if isinstance(asked["do"], list) else asked["do"]
    if do == "model":
        answered = await model(request, asked)
        if asked.get("must") and "error" in answered:
            return web.Response(status=500, text="no answer, no result")
        return web.json_response({"output": answered})
    if do == "stream":
        return await stream(request, asked)
    if do == "ask":
        return await ask(request, asked, document["resume"])
    if do == "overlong header":
        return web.json_response({"output": 1}, headers={"X-Long": "x" * 100_000})
    if do == "later":
        asyncio.get_running_loop().create_task(later(headers, asked))
        return web.Response(status=202)
    if do == "sleep":
        await asyncio.sleep(asked.get("seconds", 60))
    if do == "die":
        os._exit(9)
    if do == "hang up":
        assert request.transport is not None
        request.transport.abort()
    if do.isdigit():
        return web.Response(
            status=int(do), text="as told", headers={"Retry-After": asked.get("retry", "0.2")}
        )
    if do == "garbage":
        return web.Response(text="<html>", content_type="application/json")
    if do == "nul":
        return web.json_response({"output": "a\u0000b"})
    if do == "big":
        return web.json_response({"output": "x" * asked["bytes"]})
    return web.json_response({"output": {"echo": document["input"], "pid": os.getpid()}})


async def seen(_: web.Request) -> web.Response:
    return web.json_response(SEEN)


def main() -> None:
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/invoke", invoke)
    app.router.add_get("/seen", seen)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, shutdown_timeout=0.1)


if __name__ == "__main__":
    main()
