"""The table of roles and permissions, for whoever wants to know before being refused."""

from typing import Annotated

from backend.permissions import ROLES, SUMMARIES, Principal, anyone_known, permissions_of
from backend.routing import api_router
from backend.schemas.organisations import Role

router = api_router("/roles", "organisations")


@router.get("", summary="List roles and what they allow")
async def list_roles(principal: Annotated[Principal, anyone_known(narrows=True)]) -> list[Role]:
    """Every role with its permissions in the caller's organisation, from owner down."""
    return [
        Role(
            name=name,
            summary=SUMMARIES[name],
            permissions=sorted(permissions_of(name, operator=principal.operator)),
            grantable=principal.may("members:write") and principal.may_grant(name),
        )
        for name in ROLES
    ]
