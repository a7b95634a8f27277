"""
One attempt at an L1 agent: the request of the agent contract, and every answer it allows.

    200 JSON · 200 SSE · 202 and a result later · 409 busy · 429/503 another instance · other 4xx · 5xx
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import orjson

from services.agent_gateway.event_stream import Sent, events_of
from services.agent_gateway.outcomes import Accepted, Broken, Busy, Expired, Failed, Interrupted, Succeeded
from services.agent_gateway.records import Active
from services.chassis.clock import Clock
from services.chassis.contract import rfc3339
from services.contracts.agents import Cause

Outcome = Succeeded | Failed | Busy | Accepted | Expired | Interrupted
Tell = Callable[[Sent], Awaitable[None]]

BUSY_SECONDS = 0.5
UNREACHABLE_SECONDS = 1.0
MAX_MESSAGE = 2000
DEFAULT_INTERRUPT = "input"


class Invoker:
    """Sends executions to instances."""

    def __init__(self, http: Callable[[], aiohttp.ClientSession], clock: Clock, max_bytes: int) -> None:
        self._http = http
        self._clock = clock
        self._max_bytes = max_bytes

    async def invoke(self, active: Active, endpoint: str, tell: Tell) -> Outcome | Broken:
        """Do one attempt; events of a streaming agent are told as they come."""
        left = (active.deadline_at - self._clock.now()).total_seconds()
        if left <= 0:
            return Expired()
        try:
            async with asyncio.timeout(left):
                return await self._send(active, endpoint, tell)
        except TimeoutError:
            return Expired()

    async def _send(self, active: Active, endpoint: str, tell: Tell) -> Outcome | Broken:
        url = endpoint.rstrip("/") + str(active.dispatch.get("invoke_path") or "/invoke")
        try:
            async with self._http().post(
                url, data=_body(active), headers=_headers(active), allow_redirects=False
            ) as response:
                return await self._read(response, tell)
        except aiohttp.ClientConnectorError as error:
            # Nothing was delivered, so another instance can have it at no cost.
            return Busy(UNREACHABLE_SECONDS, f"the instance does not take connections: {error}")
        except aiohttp.ClientResponseError as error:
            message = f"the agent's answer is not HTTP: {error.message}"[:MAX_MESSAGE]
            return Failed(Cause.AGENT_ERROR, message, retryable=False)
        except (aiohttp.ClientError, ConnectionError):
            return Broken()

    async def _read(self, response: aiohttp.ClientResponse, tell: Tell) -> Outcome:
        status = response.status
        if status == 200 and response.content_type == "text/event-stream":
            return await self._follow(response, tell)
        if status == 202:
            return Accepted()
        body = await self._all_of(response)
        if body is None:
            return Failed(Cause.AGENT_ERROR, f"the answer is larger than {self._max_bytes} bytes", False)
        if status == 200:
            return _output_of(body)
        said = body.decode("utf-8", "replace")[:MAX_MESSAGE]
        if status in {409, 429, 503}:
            return Busy(
                _retry_after(response.headers.get("Retry-After")), f"the agent answered {status}: {said}"
            )
        return Failed(Cause.AGENT_ERROR, f"the agent answered {status}: {said}", retryable=status >= 500)

    async def _follow(self, response: aiohttp.ClientResponse, tell: Tell) -> Outcome:
        asked: Interrupted | None = None
        async for event in events_of(_chunks(response), self._max_bytes):
            await tell(event)
            if event.type == "interrupt":
                asked = _interrupt(event.data)
            if event.type == "done":
                data = event.data
                return Succeeded(data["output"] if isinstance(data, dict) and "output" in data else data)
            if event.type == "error":
                return Failed(Cause.AGENT_ERROR, _message(event.data), retryable=_may_retry(event.data))
        return asked or Failed(Cause.AGENT_ERROR, "the agent's stream ended without a `done` event")

    async def _all_of(self, response: aiohttp.ClientResponse) -> bytes | None:
        parts, size = [], 0
        async for chunk in response.content.iter_any():
            parts.append(chunk)
            size += len(chunk)
            if size > self._max_bytes:
                return None
        return b"".join(parts)


def result_of(body: bytes) -> Succeeded | Failed:
    """What an agent posted as its result: an output, or an error with a message."""
    outcome = _output_of(body)
    if isinstance(outcome, Succeeded):
        document = orjson.loads(body)
        if isinstance(document, dict) and "output" not in document and document.get("error"):
            return Failed(Cause.AGENT_ERROR, _message(document["error"]), _may_retry(document["error"]))
    return outcome


def _body(active: Active) -> bytes:
    return orjson.dumps(
        {
            "input": active.input,
            "thread_id": active.thread_id,
            "context": {
                "execution_id": str(active.id),
                "agent_id": str(active.agent_id),
                "agent_name": active.agent_name,
                "agent_version": active.agent_version,
                "attempt": active.attempt,
            },
            "resume": active.resume,
        }
    )


def _headers(active: Active) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "X-AgentPlane-Execution-Id": str(active.id),
        "X-AgentPlane-Attempt": str(active.attempt),
        "X-AgentPlane-Deadline": rfc3339(active.deadline_at),
        "Idempotency-Key": str(active.id),
        "traceparent": f"00-{active.trace_id}-{active.id.hex[16:]}-01",
    }
    if active.thread_id:
        headers["X-AgentPlane-Thread-Id"] = active.thread_id
    return headers


def _output_of(body: bytes) -> Succeeded | Failed:
    try:
        document = orjson.loads(body) if body.strip() else None
    except orjson.JSONDecodeError:
        return Failed(
            Cause.AGENT_ERROR, "the agent answered 200 with a body that is not JSON", retryable=False
        )
    return Succeeded(document["output"] if isinstance(document, dict) and "output" in document else document)


def _interrupt(data: Any) -> Interrupted:
    named = data.get("interrupt_id") or data.get("id") if isinstance(data, dict) else None
    # One that has no name is known by the only one that an execution can wait for.
    return Interrupted(str(named)[:200] if named else DEFAULT_INTERRUPT, data)


def _message(data: Any) -> str:
    text = data.get("message") or data.get("error") if isinstance(data, dict) else data
    return str(text or "the agent reported an error")[:MAX_MESSAGE]


def _may_retry(data: Any) -> bool:
    return isinstance(data, dict) and data.get("retryable") is True


def _retry_after(value: str | None) -> float:
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, min(float(value or BUSY_SECONDS), 300.0))
    return BUSY_SECONDS


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async for chunk in response.content.iter_any():
        yield chunk
