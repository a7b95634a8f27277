"""What secrets-manager offers in its first form: put, reveal to named services, list, destroy."""

from uuid import UUID

from pydantic import Field

from services.chassis.client import Client
from services.chassis.contract import Contract, Timestamp


class PutSecret(Contract):
    """A value to keep; its path says what it is for."""

    path: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}$")
    value: str = Field(max_length=64 * 1024)
    actor: str


class SecretInfo(Contract):
    """A secret without its value."""

    path: str
    version: int
    created_at: Timestamp
    updated_at: Timestamp


class RevealedSecret(Contract):
    """A secret with its value; never logged, stored or passed on."""

    path: str
    version: int
    value: str


class SecretsManagerClient(Client):
    """Speaks to secrets-manager."""

    service = "secrets-manager"

    async def put(self, org_id: UUID, secret: PutSecret) -> SecretInfo:
        """Store a new version of a secret."""
        return await self._call("PUT", "/secrets", SecretInfo, org=org_id, body=secret)

    async def reveal(self, org_id: UUID, path: str) -> RevealedSecret:
        """The newest version with its value; only the services the route names may ask."""
        return await self._call("GET", "/secrets/value", RevealedSecret, org=org_id, query={"path": path})

    async def list_secrets(self, org_id: UUID, prefix: str = "") -> list[SecretInfo]:
        """The secrets below a path, without values."""
        return await self._call("GET", "/secrets", list[SecretInfo], org=org_id, query={"prefix": prefix})

    async def destroy(self, org_id: UUID, prefix: str) -> None:
        """Make every version of every secret below a path unreadable for good."""
        await self._call("DELETE", "/secrets", None, org=org_id, query={"prefix": prefix})
