"""What the backend offers other services: the bundles agents are packed in."""

from uuid import UUID

from services.chassis.client import Client


class BackendClient(Client):
    """Speaks to the backend's internal routes."""

    service = "backend"

    async def bundle(self, org_id: UUID, digest: str) -> bytes:
        """The bytes of an uploaded bundle (tar.gz, at most 20 MB)."""
        return await self._call("GET", f"/internal/bundles/{digest}", bytes, org=org_id, timeout=60)
