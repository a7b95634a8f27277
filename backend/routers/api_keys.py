"""API keys."""

from typing import Annotated
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal, require
from backend.routing import Cursor, IdempotencyKey, Limit, TheBackend, api_router
from backend.schemas.api_keys import ApiKey, CreateApiKey, CreatedApiKey, RotateApiKey
from backend.services.idempotency import created
from services.chassis.contract import Page

router = api_router("/api-keys", "api keys")


@router.post("", status_code=201, response_model=CreatedApiKey, summary="Make an API key")
async def create_api_key(
    new: CreateApiKey,
    principal: Annotated[Principal, require("api_keys:write")],
    request: Request,
    backend: TheBackend,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A new key; its secret is in this answer and never again."""
    return await backend.idempotency.created(
        request, principal, lambda: backend.api_keys.create(principal, new)
    )


@router.get("", summary="List API keys")
async def list_api_keys(
    principal: Annotated[Principal, require("api_keys:read")],
    backend: TheBackend,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[ApiKey]:
    """Keys of the organisation without their secrets, newest first; revoked ones too."""
    return await backend.api_keys.listed(principal.org_id, limit, cursor)


@router.post(
    "/{api_key_id}/rotate", status_code=201, response_model=CreatedApiKey, summary="Rotate an API key"
)
async def rotate_api_key(
    api_key_id: UUID,
    principal: Annotated[Principal, require("api_keys:write")],
    request: Request,
    backend: TheBackend,
    rotate: RotateApiKey | None = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A new key that may do the same; the old one works on for the overlap, and then no more."""
    overlap = (rotate or RotateApiKey()).overlap_seconds

    async def make() -> Response:
        key = await backend.api_keys.rotate(principal, api_key_id, overlap)
        return created(key, f"/api/v1/api-keys/{key.id}")

    return await backend.idempotency.once(request, principal, make)


@router.delete("/{api_key_id}", status_code=204, summary="Revoke an API key")
async def revoke_api_key(
    api_key_id: UUID, principal: Annotated[Principal, require("api_keys:write")], backend: TheBackend
) -> None:
    """Make a key worthless within a second."""
    await backend.api_keys.revoke(principal.org_id, api_key_id)
