"""Where a model call goes: the scripted provider, or the provider whose dialect the agent speaks."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
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
from services.contracts.secrets_manager import SecretsManagerClient

ANTHROPIC_VERSION = "2023-06-01"
# What providers tell their clients beside the body: limits, ids, and when to try again.
PASSED_BACK = frozenset({"retry-after", "retry-after-ms", "x-should-retry", "x-request-id", "request-id"})
PASSED_BACK_PREFIXES = ("openai-", "anthropic-", "x-ratelimit-")
# Whose account the platform's key belongs to is not the agent's business.
WITHHELD = frozenset({"openai-organization", "openai-project", "anthropic-organization-id"})


class Upstreams:
    """Chooses the provider of a call and starts it."""

    def __init__(
        self,
        http: Callable[[], aiohttp.ClientSession],
        scripted: ScriptedProvider,
        secrets: SecretsManagerClient,
        settings: GatewaySettings,
        clock: Clock,
    ) -> None:
        self._http = http
        self._scripted = scripted
        self._keys = ProviderKeys(secrets, clock)
        self._accounts = accounts(settings)
        self._settings = settings

    async def answer(self, call: Call, dialect: Dialect, body: dict[str, Any]) -> Answer:
        """The provider's answer, once its head has arrived; `body` is the request with its changes."""
        if not self.is_scripted(str(body["model"])):
            return await self._forward(call, dialect, body)
        call.provider, call.scripted = "scripted", True
        try:
            async with asyncio.timeout(self._settings.call_seconds):
                return await self._scripted.answer(dialect, body, call.request)
        except TimeoutError as error:
            raise self._too_slow from error

    def is_scripted(self, model: str) -> bool:
        """Whether the scripted provider answers this model."""
        return model.startswith(MODEL_PREFIX) or self._settings.default_route == "scripted"

    async def models(self, holder: Holder, provider: Provider) -> list[dict[str, Any]]:
        """The provider's models, where there is one."""
        if self._settings.default_route == "scripted":
            return []
        account = self._accounts[provider]
        try:
            headers = _signed(provider, await self._keys.key(holder, account))
            url = _url(account, "/v1/models")
            async with self._http().get(url, headers=headers, allow_redirects=False) as response:
                document = orjson.loads(await response.read())
        except (NoRoute, Unreachable, aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError):
            return []
        data = document.get("data") if isinstance(document, dict) else None
        return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []

    async def _forward(self, call: Call, dialect: Dialect, body: dict[str, Any]) -> Answer:
        account = self._accounts[dialect.provider]
        call.provider = urlsplit(account.url).hostname
        headers = {
            **_signed(dialect.provider, await self._keys.key(call.holder, account)),
            **call.passed,
            "Content-Type": JSON,
            "Accept": SSE if body.get("stream") else JSON,
        }
        raw = written(body, call.request_patch) if call.changed else call.request
        url = _url(account, dialect.path) + (f"?{call.query}" if call.query else "")
        try:
            response = await self._http().post(url, data=raw, headers=headers, allow_redirects=False)
        except (aiohttp.ClientError, OSError) as error:
            if type(error) is TimeoutError:
                raise self._too_slow from error
            raise Unreachable(f"the provider could not be reached: {type(error).__name__}") from error
        content_type = response.headers.get("Content-Type", JSON)
        return Answer(response.status, content_type, _chunks(response), _told(response))

    @property
    def _too_slow(self) -> Unreachable:
        return Unreachable(f"the provider did not answer in {self._settings.call_seconds:g} s")


def _signed(provider: Provider, key: str) -> dict[str, str]:
    # Bodies are passed on and recorded as they come, so they must not be compressed.
    plain = {"Accept-Encoding": "identity"}
    if provider == "anthropic":
        return {**plain, "x-api-key": key, "anthropic-version": ANTHROPIC_VERSION}
    return {**plain, "Authorization": f"Bearer {key}"}


def _url(account: Account, path: str) -> str:
    """OpenAI's base URLs end in /v1, or in what stands for it; Anthropic's do not."""
    base = account.url.rstrip("/")
    if account.variable == "OPENAI_API_KEY":
        return base + path.removeprefix("/v1")
    return base.removesuffix("/v1") + path


def _told(response: aiohttp.ClientResponse) -> list[tuple[bytes, bytes]]:
    named = ((name.lower(), value) for name, value in response.headers.items())
    return [
        (name.encode(), value.encode("latin-1", "replace"))
        for name, value in named
        if (name in PASSED_BACK or name.startswith(PASSED_BACK_PREFIXES)) and name not in WITHHELD
    ]


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, OSError) as error:
        raise CutStream(f"the provider broke off: {type(error).__name__}") from error
    finally:
        response.close() if not response.content.at_eof() else response.release()
