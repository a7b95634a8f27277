"""
Spans for a collector, by the OpenTelemetry SDK over OTLP/HTTP; imported only when a collector is named.

The parent decides about sampling, and where there is none, or it is a stranger, the configured ratio. What is
not sampled never touches the SDK. A collector that is away costs nothing but the spans: a bounded queue drops
the oldest news, and a thread of its own does the waiting.
"""

import random
from collections.abc import Mapping
from typing import Literal

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from services.chassis import __version__
from services.chassis.tracing import TraceContext, fresh

Kind = Literal["server", "client", "consumer", "internal"]

_KINDS = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}


class Spans:
    """Makes spans for the services of one process and sends them in batches."""

    def __init__(self, endpoint: str, ratio: float, process: str) -> None:
        self._ratio = ratio
        self._process = process
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5)
        self._processor = BatchSpanProcessor(exporter, schedule_delay_millis=1000)
        self._tracers: dict[str, Tracer] = {}

    def begin(
        self,
        parent: TraceContext | None,
        service: str,
        name: str,
        kind: Kind,
        attributes: Mapping[str, str | int] | None,
        edge: bool,
    ) -> tuple[Span | None, TraceContext]:
        """A span, where this is sampled, and the context that what happens within it is in."""
        if not self._samples(parent, edge):
            unsampled = parent or fresh()
            return None, TraceContext(unsampled.trace_id, unsampled.span_id, False)
        above = None
        if parent is not None:
            flags = TraceFlags(TraceFlags.SAMPLED)
            remote = SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), True, flags)
            above = set_span_in_context(NonRecordingSpan(remote))
        span = self._tracer(service).start_span(name, above, _KINDS[kind], attributes)
        made = span.get_span_context()
        return span, TraceContext(f"{made.trace_id:032x}", f"{made.span_id:016x}", True)

    def end(self, span: Span, error: BaseException | None) -> None:
        """Finish a span; an error is named and its message left out, which may hold what a user wrote."""
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        span.end()

    def close(self) -> None:
        """Send what waits, and stop."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]

    def _samples(self, parent: TraceContext | None, edge: bool) -> bool:
        if parent is None:
            return random.random() < self._ratio  # noqa: S311
        if edge:
            # A stranger's flag would let strangers fill the collector; by the id all who see it decide alike.
            return int(parent.trace_id[16:], 16) < self._ratio * 2**64
        return parent.sampled

    def _tracer(self, service: str) -> Tracer:
        if service not in self._tracers:
            resource = Resource(
                {
                    "service.name": service,
                    "service.namespace": "agentplane",
                    "service.version": __version__,
                    "service.instance.id": self._process,
                }
            )
            provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
            provider.add_span_processor(self._processor)
            self._tracers[service] = provider.get_tracer("agentplane")
        return self._tracers[service]
