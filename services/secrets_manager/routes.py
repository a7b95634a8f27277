"""HTTP face of the secrets manager."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.chassis.auth import Caller, TheCaller, TheOrg, only
from services.chassis.errors import Forbidden
from services.chassis.service import Logic
from services.contracts.secrets_manager import PutSecret, RevealedSecret, SecretInfo
from services.secrets_manager.logic import Secrets

router = APIRouter(prefix="/secrets", tags=["secrets"])
TheSecrets = Annotated[Secrets, Logic(Secrets)]
Prefix = Annotated[str, Query(max_length=200)]

# A caller that is named here has to do with secrets of its own kind only.
CONFINED = {"event-processor": "webhooks/"}


def _confine(caller: Caller, path: str) -> None:
    if not path.startswith(CONFINED.get(caller.service, "")):
        raise Forbidden(f"{caller.service} has nothing to do with {path}")


@router.put("", dependencies=[only("backend", "cli", "event-processor")])
async def put_secret(secret: PutSecret, org_id: TheOrg, caller: TheCaller, secrets: TheSecrets) -> SecretInfo:
    """Store a new version of a secret."""
    _confine(caller, secret.path)
    return await secrets.put(org_id, secret)


@router.get("", dependencies=[only("backend", "cli")])
async def list_secrets(org_id: TheOrg, secrets: TheSecrets, prefix: Prefix = "") -> list[SecretInfo]:
    """The secrets below a prefix, without values."""
    return await secrets.listed(org_id, prefix)


@router.get("/value", dependencies=[only("agent-gateway", "event-processor")])
async def reveal_secret(
    org_id: TheOrg, caller: TheCaller, secrets: TheSecrets, path: Annotated[str, Query(max_length=200)]
) -> RevealedSecret:
    """The newest version with its value."""
    _confine(caller, path)
    return await secrets.reveal(org_id, path, caller.service)


@router.delete("", status_code=204, dependencies=[only("backend", "cli", "event-processor")])
async def destroy_secrets(
    org_id: TheOrg,
    caller: TheCaller,
    secrets: TheSecrets,
    prefix: Annotated[str, Query(min_length=1, max_length=200)],
) -> None:
    """Destroy every secret below a prefix."""
    _confine(caller, prefix)
    await secrets.destroy(org_id, prefix)
