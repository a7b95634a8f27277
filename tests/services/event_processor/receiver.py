"""A receiver of webhooks on loopback that answers as told and keeps what it got."""

import asyncio
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Message:
    """One request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Receiver:
    """Answers each path with its statuses in turn, the last one for ever."""

    url: str = ""
    got: list[Message] = field(default_factory=list)
    answers: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    delay_seconds: dict[str, float] = field(default_factory=dict)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = request.path
        self.got.append(Message(path, headers, body, asyncio.get_running_loop().time()))
        await asyncio.sleep(self.delay_seconds.get(path, 0))
        answers = self.answers.get(path, [(200, {})])
        status, more = answers.pop(0) if len(answers) > 1 else answers[0]
        return web.Response(status=status, headers=more)

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return runner

    def at(self, path: str) -> list[Message]:
        """What arrived at one path."""
        return [message for message in self.got if message.path == path]
