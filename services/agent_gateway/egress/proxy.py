"""
The proxy that agents' HTTP_PROXY and HTTPS_PROXY point at.

A connection shows the virtual key, names a host, and gets a tunnel to it when the agent's allow-list has it
and the installation's egress guard lets it: metadata addresses, private networks and the platform's own
ports stay closed whatever a deploy says. What passes is not looked into; the step says host and bytes.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

import orjson
import structlog

from services.agent_gateway.active import ActiveExecutions, attribute
from services.agent_gateway.calls import Call
from services.agent_gateway.egress.allow_list import allows
from services.agent_gateway.egress.requests import MOST_HEAD, BadRequest, ProxyRequest, parse
from services.agent_gateway.gates import Gates
from services.agent_gateway.keys import Keys
from services.agent_gateway.recorder import Recorder
from services.agent_gateway.records import Holder
from services.agent_gateway.refusals import Refused
from services.agent_gateway.shapes import Outcome
from services.chassis.clock import Clock
from services.chassis.errors import PlatformError, UnsafeUrl
from services.chassis.safe_http import EgressGuard
from services.contracts.agents import Cause
from services.contracts.steps import StepKind

log = structlog.get_logger()

CHUNK = 64 * 1024
HEAD_SECONDS = 10.0
CONNECT_SECONDS = 10.0
MOST_OF_A_PROCESS = 128
_PHRASES = {400: "Bad Request", 403: "Forbidden", 407: "Proxy Authentication Required", 502: "Bad Gateway"}


@dataclass
class Passed:
    """What went through a tunnel."""

    sent: int = 0
    received: int = 0


class EgressProxy:
    """Serves agents' connections to the outside."""

    def __init__(
        self,
        keys: Keys,
        active: ActiveExecutions,
        gates: Gates,
        recorder: Recorder,
        guard: EgressGuard,
        clock: Clock,
        idle_seconds: float,
    ) -> None:
        self._keys = keys
        self._active = active
        self._gates = gates
        self._recorder = recorder
        self._guard = guard
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._serving: dict[asyncio.Task[None], Holder | None] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection from its first byte to its last."""
        task = asyncio.current_task()
        assert task is not None
        self._serving[task] = None
        try:
            await self._serve(reader, writer, task)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return
        finally:
            del self._serving[task]
            with contextlib.suppress(OSError):
                writer.close()

    async def stop(self) -> None:
        """Close every tunnel."""
        tasks = list(self._serving)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, task: "asyncio.Task[None]"
    ) -> None:
        async with asyncio.timeout(HEAD_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        try:
            request = parse(head if len(head) <= MOST_HEAD else b"")
        except BadRequest as error:
            await _answer(writer, 400, "malformed", str(error))
            return
        holder = await self._keys.find(request.key) if request.key else None
        if holder is None:
            message = "the proxy takes the process's virtual key as its password; HTTP_PROXY holds it"
            await _answer(writer, 407, "invalid_api_key", message)
            return
        self._serving[task] = holder
        await self._open(request, holder, reader, writer)

    async def _open(
        self,
        request: ProxyRequest,
        holder: Holder,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        call = Call(
            holder,
            attribute(holder, self._active, None, None),
            f"{request.method} {request.host}:{request.port}",
            self._clock.now(),
        )
        call.kind, call.provider = StepKind.HTTP, request.host
        if call.active is not None:
            # Counted when it opens: it may stay open longer than its execution lasts.
            call.active.totals.tunnels += 1
        asked: dict[str, Any] = {"method": request.method, "host": request.host, "port": request.port}
        call.request = orjson.dumps(asked)
        passed = Passed()
        try:
            far = await self._admitted(call, asked, request)
            call.http_status = 200
            await self._pass(request, passed, (reader, writer), far)
        except Refused as refusal:
            call.fail(refusal.cause, refusal.message)
            call.http_status = refusal.status
            await _answer(writer, refusal.status, refusal.code, refusal.message)
        except asyncio.CancelledError:
            call.cancel()
            raise
        finally:
            self._record(call, passed)

    async def _admitted(
        self, call: Call, asked: dict[str, Any], request: ProxyRequest
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        where = f"{request.host}:{request.port}"
        if not allows(call.holder.egress_allow, request.host, request.port):
            reason = f"{where} is not in the agent's egress_allow; deploy it with the hosts it may reach"
            raise Refused(403, "policy_denied", reason, Cause.POLICY_DENIED)
        if (
            sum(each is not None and each.run_id == call.holder.run_id for each in self._serving.values())
            > MOST_OF_A_PROCESS
        ):
            reason = f"the process has {MOST_OF_A_PROCESS} connections open, which is the most"
            raise Refused(403, "concurrency_limit", reason, Cause.CONCURRENCY_LIMIT)
        await self._gates.admit(call, asked)
        try:
            return await self._guard.open_connection(request.host, request.port, seconds=CONNECT_SECONDS)
        except UnsafeUrl as error:
            raise Refused(403, error.code, error.detail, Cause.POLICY_DENIED) from error
        except PlatformError as error:
            raise Refused(502, error.code, error.detail, Cause.TOOL_FAILED) from error

    async def _pass(
        self,
        request: ProxyRequest,
        passed: Passed,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        try:
            if request.tunnel:
                near[1].write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                far[1].write(request.head)
                passed.sent += len(request.head)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(near[0], far[1], passed, "sent"))
                both.create_task(self._pump(far[0], near[1], passed, "received"))
        except* (OSError, TimeoutError):
            # The end of a tunnel: which side closed it, and how, is between the two.
            pass
        finally:
            far[1].close()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, passed: Passed, counter: str
    ) -> None:
        while True:
            async with asyncio.timeout(self._idle_seconds):
                data = await source.read(CHUNK)
            if not data:
                break
            setattr(passed, counter, getattr(passed, counter) + len(data))
            sink.write(data)
            async with asyncio.timeout(self._idle_seconds):
                await sink.drain()
        with contextlib.suppress(OSError, NotImplementedError):
            sink.write_eof()

    def _record(self, call: Call, passed: Passed) -> None:
        seconds = (self._clock.now() - call.started_at).total_seconds()
        said = {"bytes_sent": passed.sent, "bytes_received": passed.received, "seconds": round(seconds, 3)}
        call.response.append(orjson.dumps(said))
        self._recorder.record(call, Outcome())


async def _answer(writer: asyncio.StreamWriter, status: int, code: str, detail: str) -> None:
    body = orjson.dumps({"status": status, "code": code, "detail": detail, "title": _PHRASES[status]})
    head = [f"HTTP/1.1 {status} {_PHRASES[status]}", "Content-Type: application/problem+json"]
    if status == 407:
        head.append('Proxy-Authenticate: Basic realm="AgentPlane"')
    head += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    writer.write("\r\n".join(head).encode() + body)
    await writer.drain()
