"""
`Idempotency-Key`: the same key and the same request get the same answer, for a day.

Kept answers are stored sealed, for the answer to a new API key holds the key itself.
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Protocol

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal
from backend.stores.idempotency_store import IdempotencyStore
from backend.tokens import AccessTokens
from services.chassis.errors import IdempotencyMismatch, InProgress, Invalid

HEADER = "Idempotency-Key"


class Made(Protocol):
    """Something new that has a page of its own, named by its id."""

    @property
    def id(self) -> object:
        """What its page ends with."""

    def model_dump_json(self) -> str:
        """The answer's body."""


class Idempotency:
    """Answers repeated requests from what it kept."""

    def __init__(self, store: IdempotencyStore, tokens: AccessTokens) -> None:
        self._store = store
        self._tokens = tokens

    async def once(
        self, request: Request, principal: Principal, make: Callable[[], Awaitable[Response]]
    ) -> Response:
        """The answer to a request, made at most once for its key; without a key it is always made."""
        key = request_key(request)
        if key is None:
            return await make()
        fingerprint = hashlib.sha256(f"{request.method} {request.url.path}\n".encode())
        fingerprint.update(await request.body())
        claim = (principal.org_id, principal.actor, key)
        kept = await self._store.claim(*claim, fingerprint.digest())
        if kept is not None:
            if kept.request_hash != fingerprint.digest():
                raise IdempotencyMismatch(f"{HEADER} {key} was used before with another request")
            if kept.status is None or kept.body is None:
                raise InProgress(f"the first request with {HEADER} {key} is still worked on", retry_after=1)
            return Response(self._tokens.open(kept.body), kept.status, kept.headers)
        try:
            response = await make()
        except BaseException:
            await self._store.release(*claim)
            raise
        headers = {name: value for name, value in response.headers.items() if name != "content-length"}
        await self._store.keep(*claim, response.status_code, headers, self._tokens.seal(bytes(response.body)))
        return response

    async def created(
        self, request: Request, principal: Principal, make: Callable[[], Awaitable[Made]]
    ) -> Response:
        """The answer to a request that adds to the collection at its path, made at most once for its key."""

        async def answer() -> Response:
            made = await make()
            return created(made, f"{request.url.path}/{made.id}")

        return await self.once(request, principal, answer)


def request_key(request: Request) -> str | None:
    """The request's idempotency key."""
    key = request.headers.get(HEADER)
    if key is not None and not (0 < len(key) <= 200 and key.isprintable()):
        raise Invalid(f"{HEADER} must be 1 to 200 printable characters")
    return key


def created(
    model: Made | BaseModel, location: str, status: int = 201, headers: dict[str, str] | None = None
) -> Response:
    """The answer to a creation."""
    return Response(
        model.model_dump_json(),
        status,
        {"Location": location, **(headers or {})},
        media_type="application/json",
    )
