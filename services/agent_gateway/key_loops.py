"""What the gateway does about virtual keys again and again; declared in `service.py`."""

from typing import Protocol

import structlog

from services.agent_gateway.keeping import Keeping
from services.agent_gateway.keys import Keys
from services.chassis.leases import Fence

log = structlog.get_logger()


class HasKeys(Protocol):
    """The gateway, as far as the loops need it."""

    keys: Keys
    keeping: Keeping


async def revoke_ended(gateway: HasKeys, fence: Fence) -> None:
    """Revoke the keys of processes whose end nobody told of."""
    revoked = await gateway.keys.revoke_ended(gateway.keeping.ended)
    if revoked:
        log.info("keys.revoked_late", processes=revoked)


async def let_go_of_cancelled(gateway: HasKeys) -> None:
    """Break off the calls of what was cancelled by way of another gateway, and forget its keys."""
    await gateway.keeping.let_go()


async def sweep_keys(gateway: HasKeys) -> None:
    """Forget keys that have long been worthless."""
    await gateway.keys.sweep()
