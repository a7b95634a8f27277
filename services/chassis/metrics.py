"""Prometheus metrics: one registry for each service, since many share a process."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars


class Metrics:
    """Requests, loops and handlers of one service; services add their own to `registry`."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        self.service = service
        self.requests = Counter(
            "agentplane_http_requests",
            "Requests answered",
            ["service", "method", "route", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "agentplane_http_request_seconds",
            "Time to answer",
            ["service", "route"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "agentplane_http_requests_in_flight",
            "Requests being answered",
            ["service"],
            registry=self.registry,
        ).labels(service)
        # As many as there are series: routes are templates.
        self._told: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._add_work()

    def _add_work(self) -> None:
        loop = ["service", "loop"]
        self.loop_seconds = Histogram(
            "agentplane_loop_seconds", "Time a loop took", loop, registry=self.registry
        )
        self.loop_errors = Counter(
            "agentplane_loop_errors", "Loop runs that failed", loop, registry=self.registry
        )
        self.loop_last = Gauge(
            "agentplane_loop_last_success_timestamp_seconds",
            "When a loop last succeeded",
            loop,
            registry=self.registry,
        )
        topic = ["service", "topic"]
        self.handler_seconds = Histogram(
            "agentplane_handler_seconds", "Time to handle an event", topic, registry=self.registry
        )
        self.handler_errors = Counter(
            "agentplane_handler_errors",
            "Events whose handling failed, those that are tried again too",
            topic,
            registry=self.registry,
        )

    def handler(
        self, subject: str, handle: Callable[[Any], Awaitable[None]]
    ) -> Callable[[Any], Awaitable[None]]:
        """The handler of a topic, timed and its failures counted."""
        seconds = self.handler_seconds.labels(self.service, subject)
        errors = self.handler_errors.labels(self.service, subject)

        async def handle_measured(event: Any) -> None:
            started = time.perf_counter()
            with errors.count_exceptions():
                await handle(event)
            seconds.observe(time.perf_counter() - started)

        return handle_measured

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        told = self._told.get((method, route, status))
        if told is None:
            told = self._told[method, route, status] = (
                self.requests.labels(self.service, method, route, str(status)),
                self.request_seconds.labels(self.service, route),
            )
        told[0].inc()
        told[1].observe(seconds)

    def loop(self, name: str, seconds: float, failed: bool) -> None:
        """Count one run of a loop."""
        self.loop_seconds.labels(self.service, name).observe(seconds)
        if failed:
            self.loop_errors.labels(self.service, name).inc()
        else:
            self.loop_last.labels(self.service, name).set_to_current_time()

    def render(self) -> Response:
        """What /metrics answers."""
        return Response(generate_latest(self.registry), media_type="text/plain; version=0.0.4; charset=utf-8")


class MeasureRequests:
    """Counts requests under the template of their route, never their path, and names the service in logs."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Time the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        named = bind_contextvars(service=self._metrics.service)
        self._metrics.in_flight.inc()

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note_status)
        finally:
            reset_contextvars(**named)
            self._metrics.in_flight.dec()
            route = getattr(scope.get("route"), "path", "unmatched")
            self._metrics.request(scope["method"], route, status, time.perf_counter() - started)
