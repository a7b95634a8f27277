"""Where a model call goes: the scripted provider, or the provider whose dialect the agent speaks."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson

from services.agent_gateway.answers import Answer, CutStream, Unreachable
from services.agent_gateway.calls import Call
from services.agent_gateway.dialects.dialect import Dialect, Provider
from services.agent_gateway.dialects.rewriting import written
from services.agent_gateway.provider_keys import Account, NoRoute, ProviderKeys, accounts
from services.agent_gateway.records import Holder
from services.agent_gateway.script import MODEL_PREFIX
from services.agent_gateway.scripted import ScriptedProvider
from services.agent_gateway.settings import GatewaySettings
from services.agent_gateway.shapes import JSON, SSE
from services.chassis.clock import Clock
from services.chassis.exchange import Answered, Broken, TooSlow
from services.chassis.origin import Field, Origin
from services.contracts.secrets_manager import SecretsManagerClient

ANTHROPIC_VERSION = "2023-06-01"
# What providers tell their clients beside the body: limits, ids, and when to try again.
PASSED_BACK = frozenset(
    {b"retry-after", b"retry-after-ms", b"x-should-retry", b"x-request-id", b"request-id"}
)
PASSED_BACK_PREFIXES = (b"openai-", b"anthropic-", b"x-ratelimit-")
# Whose account the platform's key belongs to is not the agent's business.
WITHHELD = frozenset({b"openai-organization", b"openai-project", b"anthropic-organization-id"})
# Bodies are passed on and recorded as they come, so they must not be compressed.
PLAIN: list[Field] = [("User-Agent", "AgentPlane"), ("Accept-Encoding", "identity")]


class Upstreams:
    """Chooses the provider of a call and starts it."""

    def __init__(
        self,
        scripted: ScriptedProvider,
        secrets: SecretsManagerClient,
        settings: GatewaySettings,
        clock: Clock,
    ) -> None:
        self._scripted = scripted
        self._keys = ProviderKeys(secrets, clock)
        self._accounts = accounts(settings)
        self._settings = settings
        self._origins: dict[Provider, Origin] = {}

    async def close(self) -> None:
        """Close every connection to a provider."""
        for origin in self._origins.values():
            origin.close()
        self._origins.clear()

    async def answer(self, call: Call, dialect: Dialect, body: dict[str, Any]) -> Answer:
        """The provider's answer, once its head has arrived; `body` is the request with its changes."""
        if not self.is_scripted(str(body["model"])):
            return await self._forward(call, dialect, body)
        call.provider, call.scripted = "scripted", True
        try:
            async with asyncio.timeout(self._settings.call_seconds):
                return await self._scripted.answer(dialect, body, call.request)
        except TimeoutError as error:
            raise Unreachable(f"the provider did not answer in {self._settings.call_seconds:g} s") from error

    def is_scripted(self, model: str) -> bool:
        """Whether the scripted provider answers this model."""
        return model.startswith(MODEL_PREFIX) or self._settings.default_route == "scripted"

    async def models(self, holder: Holder, provider: Provider) -> list[dict[str, Any]]:
        """The provider's models, where there is one."""
        if self._settings.default_route == "scripted":
            return []
        account = self._accounts[provider]
        try:
            fields = [*PLAIN, *_signed(provider, await self._keys.key(holder, account))]
            asked = await self._origin(provider).ask("GET", _path(provider, "/v1/models"), fields)
            document = orjson.loads(await asked.body(self._settings.max_call_bytes))
        except (NoRoute, Unreachable, OSError, ValueError):
            return []
        data = document.get("data") if isinstance(document, dict) else None
        return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []

    async def _forward(self, call: Call, dialect: Dialect, body: dict[str, Any]) -> Answer:
        provider = dialect.provider
        origin = self._origin(provider)
        call.provider = origin.host
        key = await self._keys.key(call.holder, self._accounts[provider])
        signed = _signed(provider, key)
        if call.passed:
            signed = [each for each in signed if each[0] not in call.passed] + list(call.passed.items())
        kinds = [("Content-Type", JSON), ("Accept", SSE if body.get("stream") else JSON)]
        raw = written(body, call.request_patch) if call.changed else call.request
        path = _path(provider, dialect.path) + (f"?{call.query}" if call.query else "")
        # Once the request is on its way.
        asyncio.get_running_loop().call_soon(call.catch_up)
        try:
            asked = await origin.ask("POST", path, [*PLAIN, *signed, *kinds], raw)
        except ValueError as error:
            raise NoRoute("the provider's key holds characters that no header can") from error
        except OSError as error:
            raise Unreachable(f"the provider could not be reached: {_reason(error)}") from error
        content_type = next((value for name, value in asked.headers if name == b"content-type"), b"")
        return Answer(
            asked.status, content_type.decode("latin-1") or JSON, _chunks(asked), _told(asked.headers)
        )

    def _origin(self, provider: Provider) -> Origin:
        origin = self._origins.get(provider)
        if origin is None:
            settings = self._settings
            try:
                origin = Origin(
                    _base(provider, self._accounts[provider]),
                    settings.connect_seconds,
                    settings.silence_seconds,
                    settings.call_seconds,
                )
            except ValueError as error:
                raise NoRoute(f"the provider's base URL cannot be used: {error}") from error
            self._origins[provider] = origin
        return origin


def _signed(provider: Provider, key: str) -> list[Field]:
    if provider == "anthropic":
        return [("x-api-key", key), ("anthropic-version", ANTHROPIC_VERSION)]
    return [("Authorization", f"Bearer {key}")]


def _base(provider: Provider, account: Account) -> str:
    """OpenAI's base URLs end in /v1, or in what stands for it; Anthropic's do not."""
    base = account.url.rstrip("/")
    return base.removesuffix("/v1") if provider == "anthropic" else base


def _path(provider: Provider, path: str) -> str:
    return path if provider == "anthropic" else path.removeprefix("/v1")


def _told(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [
        (name, value)
        for name, value in headers
        if (name in PASSED_BACK or name.startswith(PASSED_BACK_PREFIXES)) and name not in WITHHELD
    ]


def _reason(error: OSError) -> str:
    # The system's own errors name addresses, which are not the agent's business.
    return str(error) if isinstance(error, Broken | TooSlow) else type(error).__name__


async def _chunks(asked: Answered) -> AsyncIterator[bytes]:
    try:
        async for chunk in asked.chunks():
            yield chunk
    except OSError as error:
        raise CutStream(f"the provider broke off: {_reason(error)}") from error
    finally:
        asked.close()
