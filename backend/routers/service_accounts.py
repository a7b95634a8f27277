"""Service accounts: who stands behind the API keys of programs."""

from typing import Annotated
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from backend.permissions import Principal, require
from backend.routing import Cursor, IdempotencyKey, Limit, TheBackend, api_router
from backend.schemas.organisations import CreateServiceAccount, ServiceAccount
from services.chassis.contract import Page

router = api_router("/service-accounts", "service accounts")
Reader = Annotated[Principal, require("service_accounts:read")]
Writer = Annotated[Principal, require("service_accounts:write")]


@router.post("", status_code=201, response_model=ServiceAccount, summary="Make a service account")
async def create_service_account(
    new: CreateServiceAccount,
    principal: Writer,
    request: Request,
    backend: TheBackend,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """An account that nobody logs in to; make API keys for it next."""
    return await backend.idempotency.created(
        request, principal, lambda: backend.service_accounts.create(principal, new)
    )


@router.get("", summary="List service accounts")
async def list_service_accounts(
    principal: Reader, backend: TheBackend, limit: Limit = 50, cursor: Cursor = None
) -> Page[ServiceAccount]:
    """Accounts of the organisation, newest first; disabled ones too."""
    return await backend.service_accounts.listed(principal.org_id, limit, cursor)


@router.get("/{service_account_id}", summary="Show a service account")
async def get_service_account(
    service_account_id: UUID, principal: Reader, backend: TheBackend
) -> ServiceAccount:
    """One account."""
    return await backend.service_accounts.get(principal.org_id, service_account_id)


@router.delete("/{service_account_id}", status_code=204, summary="Disable a service account")
async def disable_service_account(service_account_id: UUID, principal: Writer, backend: TheBackend) -> None:
    """Make the account and all its keys worthless, for good; what it did stays in the audit log."""
    await backend.service_accounts.disable(principal, service_account_id)
