"""
An agent that walks: a process with HTTP in front and model calls behind. `walking_agent.py PORT`.

Its input says how: `turns` model calls in a growing conversation; `same` times one prompt; `parallel` tool
calls a turn, each of which asks the model too, their results in the order in which they come back;
`clock` puts the time into the prompt of that turn, `id` a new UUID; `call` has another agent walk after a
turn; `die` kills the process after that many calls.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
import uuid
from typing import Any

import aiohttp
from aiohttp import web

TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]


class Walk:
    """One invocation."""

    def __init__(self, session: aiohttp.ClientSession, asked: dict[str, Any], attempt: int) -> None:
        self.session = session
        self.asked = asked
        self.attempt = attempt
        self.calls = 0
        self.heard: list[str] = []

    async def model(self, messages: list[Any], **more: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
        body = {"model": self.asked.get("model", "m"), "messages": messages, **more}
        stream = self.asked.get("stream") and "tools" not in more
        if stream:
            body["stream"] = True
        url = f"{os.environ['OPENAI_BASE_URL']}/chat/completions"
        async with self.session.post(url, json=body, headers=headers) as answer:
            raw = await answer.read()
        self.calls += 1
        if self.attempt == 1 and self.calls == self.asked.get("die"):
            os.kill(os.getpid(), signal.SIGKILL)
        if stream and answer.status == 200:
            events = [each[6:] for each in raw.split(b"\n\n") if each.startswith(b"data: {")]
            chunks = [json.loads(each) for each in events]
            text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"])
            return {"role": "assistant", "content": text}
        document = json.loads(raw)
        if "error" in document:
            raise RuntimeError(document["error"]["code"])
        message: dict[str, Any] = document["choices"][0]["message"]
        return message

    async def turns(self) -> None:
        messages: list[Any] = [{"role": "system", "content": "Walk."}]
        for turn in range(1, self.asked["turns"] + 1):
            said = f"step {turn}"
            if turn == self.asked.get("clock"):
                said += f" at {time.time()}"
            if turn == self.asked.get("id"):
                said += f" as {uuid.uuid4()}"
            messages.append({"role": "user", "content": said})
            answer = await self.model(messages)
            messages.append(answer)
            self.heard.append(answer["content"])
            if turn == self.asked.get("call", {}).get("at"):
                messages.append({"role": "user", "content": json.dumps(await self.other())})

    async def other(self) -> Any:
        """Have another agent walk."""
        called = self.asked["call"]
        url = f"{os.environ['AGENTPLANE_URL']}/v1/agents/{called['agent']}/invoke"
        headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
        async with self.session.post(url, json={"input": called["input"]}, headers=headers) as answer:
            document = await answer.json()
        if answer.status != 200:
            raise RuntimeError(str(document))
        return document["output"]["heard"]

    async def same(self) -> None:
        for _ in range(self.asked["same"]):
            self.heard.append((await self.model([{"role": "user", "content": "roll"}]))["content"])

    async def parallel(self) -> None:
        messages: list[Any] = []
        wish = {"calls": self.asked["parallel"], "identical": bool(self.asked.get("identical"))}
        for turn in range(self.asked["rounds"]):
            messages.append({"role": "user", "content": json.dumps({**wish, "turn": turn})})
            asking = await self.model(messages, tools=TOOLS)
            messages.append(asking)
            waiting = [asyncio.create_task(self.tool(call)) for call in asking["tool_calls"]]
            for done in asyncio.as_completed(waiting):
                messages.append(await done)
            answer = await self.model(messages, tools=TOOLS)
            messages.append(answer)
            self.heard.append(answer["content"])

    async def tool(self, call: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(random.random() / 100)
        found = await self.model([{"role": "user", "content": f"look up {call['function']['arguments']}"}])
        return {"role": "tool", "tool_call_id": call["id"], "content": found["content"]}


async def invoke(request: web.Request) -> web.Response:
    document = await request.json()
    asked = document["input"]
    async with aiohttp.ClientSession() as session:
        walk = Walk(session, asked, int(request.headers["X-AgentPlane-Attempt"]))
        try:
            await getattr(walk, next(name for name in ("turns", "same", "parallel") if name in asked))()
        except RuntimeError as error:
            return web.json_response({"error": str(error)}, status=500)
    return web.json_response({"output": {"heard": walk.heard, "pid": os.getpid()}})


if __name__ == "__main__":
    app = web.Application()
    app.router.add_post("/invoke", invoke)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
