"""
Who is let in: quotas of the organisation, of the principal and of expensive work, and requests at once.

    organisation   every request
    principal      every request of one person or key, so that one runaway leaves the others a share
    expensive      requests of the organisation that read or write much at once
    at once        requests and open streams of the organisation in this process

What is refused is answered with 429 and Retry-After before any work is done for it.
"""

from collections.abc import Sequence
from uuid import UUID

from prometheus_client import Counter

from backend.permissions import Principal
from backend.services.quota import Quota, Standing, headers
from backend.services.rate_limit import RateLimit
from backend.settings import BackendSettings
from services.chassis.errors import RateLimited
from services.chassis.metrics import Metrics

# By method and path: what moves whole files, reads whole tables or computes embeddings.
EXPENSIVE = frozenset(
    {
        ("POST", "/api/v1/bundles"),
        ("GET", "/api/v1/steps"),
        ("GET", "/api/v1/memory/search"),
        ("GET", "/api/v1/memory/export"),
        ("POST", "/api/v1/memory/import"),
        ("GET", "/api/v1/audit/export"),
        ("GET", "/api/v1/audit/verify"),
    }
)


class Admission:
    """One request that was let in, until it leaves."""

    def __init__(self, org_id: UUID, requests: dict[UUID, int], streams: dict[UUID, int]) -> None:
        self._org_id = org_id
        self._requests = requests
        self._streams = streams
        self._held: dict[UUID, int] | None = None
        self.standings: Sequence[Standing] = ()

    def hold(self) -> None:
        """Count the request among those at once."""
        self._move(self._requests)

    def became_stream(self) -> None:
        """The answer stays open: count it among the streams instead."""
        self._move(self._streams)

    def leave(self) -> None:
        """The request is over."""
        self._move(None)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What the answer tells of the quotas."""
        return headers(self.standings) if self.standings else []

    def _move(self, to: dict[UUID, int] | None) -> None:
        if self._held is not None:
            count = self._held[self._org_id] - 1
            if count:
                self._held[self._org_id] = count
            else:
                del self._held[self._org_id]
        self._held = to
        if to is not None:
            to[self._org_id] = to.get(self._org_id, 0) + 1


class Limits:
    """Lets requests in, or says when to come again."""

    def __init__(self, rate: RateLimit, settings: BackendSettings, metrics: Metrics) -> None:
        whole = settings.requests_per_minute
        self._rate = rate
        self._organisation = Quota("organisation", whole)
        self._principal = Quota("principal", max(1, int(whole * settings.principal_share)))
        self._expensive = Quota("expensive", max(1, int(whole * settings.expensive_share)))
        self._at_once = settings.requests_at_once
        self._streams_at_once = settings.streams_at_once
        self._requests: dict[UUID, int] = {}
        self._streams: dict[UUID, int] = {}
        self._refused = Counter(
            "agentplane_requests_refused",
            "Requests refused by a limit",
            ["service", "limit"],
            registry=metrics.registry,
        )
        self._service = metrics.service

    async def admit(self, principal: Principal, method: str, path: str, admission: Admission) -> None:
        """Count a request, or refuse it with `RateLimited`; the admission knows the standings either way."""
        org = principal.org_id
        if self._requests.get(org, 0) >= self._at_once or self._streams.get(org, 0) >= self._streams_at_once:
            self._refused.labels(self._service, "at_once").inc()
            raise RateLimited("the organisation has too many requests under way at once", retry_after=1)
        admission.hold()
        keys = [(self._organisation, str(org)), (self._principal, str(principal.id))]
        if (method, path) in EXPENSIVE:
            keys.append((self._expensive, str(org)))
        standings = []
        for quota, key in keys:
            standing, refused_seconds = await self._rate.take(quota, key)
            standings.append(standing)
            admission.standings = standings
            if refused_seconds > 0:
                self._refused.labels(self._service, quota.name).inc()
                raise RateLimited(
                    f"the {quota.name} quota of {quota.limit} requests a minute is used up",
                    retry_after=refused_seconds,
                )

    def admission(self, org_id: UUID) -> Admission:
        """For a request that is about to be counted."""
        return Admission(org_id, self._requests, self._streams)
