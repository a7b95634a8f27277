"""Replacing and removing the organisation's policy, each only by whoever has read what counts now."""

from backend.permissions import Principal
from services.chassis.errors import PreconditionRequired, Stale
from services.contracts.spending import OrganisationPolicy, Policy, SpendingClient

_NONE = 0


async def replace(
    spending: SpendingClient, principal: Principal, policy: Policy, if_match: str | None
) -> OrganisationPolicy:
    """Set the policy; without `If-Match` only where there is none yet."""
    instead_of = _NONE if if_match is None else _revision(if_match)
    try:
        return await spending.set_policy(principal.org_id, policy, principal.actor, instead_of)
    except Stale as stale:
        if if_match is None:
            raise PreconditionRequired("send If-Match with the ETag of the policy you have read") from stale
        raise


async def remove(spending: SpendingClient, principal: Principal, if_match: str | None) -> None:
    """Have no policy; with `If-Match` only that one is removed."""
    revision = None if if_match is None else _revision(if_match)
    await spending.drop_policy(principal.org_id, principal.actor, revision)


def _revision(if_match: str) -> int | None:
    """The revision that a tag stands for; null for `*`, which is any."""
    tag = if_match.strip().removeprefix("W/").strip('"')
    if tag == "*":
        return None
    if not tag.isascii() or not tag.isdigit() or not 0 < int(tag) < 2**63:
        raise Stale("If-Match names no revision of the policy; read it again")
    return int(tag)
