"""What all routers share: how bodies are read, how errors are documented, the usual parameters."""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Header, Query
from pydantic import BaseModel
from starlette.requests import Request

from backend.logic import Backend
from backend.permissions import Principal
from services.chassis.quick_route import QuickRoute
from services.chassis.service import Logic

TheBackend = Annotated[Backend, Logic(Backend)]
Limit = Annotated[int, Query(ge=1, le=200, description="items on a page")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")]
IfMatch = Annotated[str | None, Header(max_length=200, description="ETag that the caller has read")]
IdempotencyKey = Annotated[
    str | None, Header(max_length=200, description="repeating it repeats the answer, not the effect")
]


class Problem(BaseModel):
    """An error (RFC 9457); `code` is stable."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str | None = None
    errors: list[dict[str, Any]] | None = None
    retry_after: float | None = None


_MEANINGS = {
    401: "No valid credential",
    403: "The credential may not do this",
    404: "There is no such thing in the organisation",
    409: "The present state does not allow this",
    412: "The thing has changed since it was read",
    428: "If-Match is missing",
    422: "The request is not valid",
    429: "Too many requests",
    503: "A part of the platform does not answer",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for its documentation; `Problem` itself is described by the index route."""
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


class StrictJson(Request):
    """A request whose JSON must be what RFC 8259 says: no NaN, no half of a surrogate pair."""

    async def json(self) -> Any:
        """The body, read by orjson."""
        if not hasattr(self, "_json"):
            self._json = orjson.loads(await self.body())
        return self._json


class StrictRoute(QuickRoute):
    """A route that reads its body with `StrictJson`."""

    request_class = StrictJson


def note_person(
    request: Request, user_id: UUID, email: str, org_id: UUID, session_id: UUID | None = None
) -> None:
    """Let the record of a request that came without a credential name who it turned out to be."""
    request.state.principal = Principal(
        kind="user", id=user_id, label=email, org_id=org_id, permissions=frozenset(), session_id=session_id
    )


def api_router(prefix: str, tag: str) -> APIRouter:
    """A router of the public API."""
    return APIRouter(
        prefix=f"/api/v1{prefix}",
        tags=[tag],
        route_class=StrictRoute,
        responses=errors(401, 403, 404, 409, 422, 429, 503),
    )
