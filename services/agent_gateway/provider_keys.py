"""The keys that calls are made with: an agent's own, out of the vault, or the platform's."""

from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from pydantic import SecretStr

from services.agent_gateway.answers import Unreachable
from services.agent_gateway.dialects.dialect import Provider
from services.agent_gateway.records import Holder
from services.agent_gateway.settings import GatewaySettings
from services.chassis.clock import Clock
from services.chassis.errors import NotFound, PlatformError
from services.contracts.secrets_manager import SecretsManagerClient

REVEALED_SECONDS = 30.0
REMEMBERED = 5_000


class NoRoute(Exception):
    """No provider is configured for the model."""


@dataclass(frozen=True)
class Account:
    """A provider as it is configured: where it is, and under which name its key is known."""

    name: str
    url: str
    variable: str
    platform_key: SecretStr | None


def accounts(settings: GatewaySettings) -> dict[Provider, Account]:
    """The providers by their dialects' names."""
    return {
        "openai": Account("OpenAI", settings.openai_url, "OPENAI_API_KEY", settings.openai_api_key),
        "anthropic": Account(
            "Anthropic", settings.anthropic_url, "ANTHROPIC_API_KEY", settings.anthropic_api_key
        ),
    }


class ProviderKeys:
    """Finds the key of a call; revealed ones are kept for half a minute."""

    def __init__(self, secrets: SecretsManagerClient, clock: Clock) -> None:
        self._secrets = secrets
        self._clock = clock
        self._revealed: OrderedDict[tuple[UUID, str], tuple[float, str]] = OrderedDict()

    async def key(self, holder: Holder, account: Account) -> str:
        """The key for an agent's call; raises `NoRoute` where there is none."""
        path = holder.provider_keys.get(account.variable)
        if path is not None:
            return await self._reveal(holder.org_id, path)
        if account.platform_key is None:
            raise NoRoute(
                f"no provider is configured for this model: give the agent an {account.variable}, set the"
                " platform's, or use a model named scripted/*"
            )
        return account.platform_key.get_secret_value()

    async def _reveal(self, org_id: UUID, path: str) -> str:
        known = self._revealed.get((org_id, path))
        if known is not None and known[0] > self._clock.monotonic():
            return known[1]
        try:
            value = (await self._secrets.reveal(org_id, path)).value
        except NotFound as error:
            raise NoRoute("the agent's provider key is no longer in the vault; deploy it again") from error
        except PlatformError as error:
            raise Unreachable(f"the vault does not answer: {error.detail}") from error
        self._revealed[org_id, path] = (self._clock.monotonic() + REVEALED_SECONDS, value)
        if len(self._revealed) > REMEMBERED:
            self._revealed.popitem(last=False)
        return value
