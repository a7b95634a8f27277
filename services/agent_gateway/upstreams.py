"""Where a model call goes: the scripted provider, or the OpenAI-compatible upstream."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import orjson

from services.agent_gateway.answers import Answer, CutStream, Unreachable
from services.agent_gateway.calls import Call
from services.agent_gateway.records import Holder
from services.agent_gateway.script import MODEL_PREFIX
from services.agent_gateway.scripted import ScriptedProvider
from services.agent_gateway.settings import GatewaySettings
from services.agent_gateway.shapes import SSE
from services.chassis.clock import Clock
from services.chassis.errors import NotFound, PlatformError
from services.contracts.secrets_manager import SecretsManagerClient

PROVIDER_KEY = "OPENAI_API_KEY"
REVEALED_SECONDS = 30.0
REMEMBERED = 5_000
PASSED_ON = frozenset({"retry-after", "x-request-id", "x-should-retry", "retry-after-ms"})
PASSED_PREFIXES = ("openai-", "x-ratelimit-")


class NoRoute(Exception):
    """No provider is configured for the model."""


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
        self._secrets = secrets
        self._settings = settings
        self._clock = clock
        self._revealed: OrderedDict[tuple[UUID, str], tuple[float, str]] = OrderedDict()

    async def answer(self, call: Call, body: dict[str, Any]) -> Answer:
        """The provider's answer, once its head has arrived."""
        try:
            async with asyncio.timeout(self._settings.call_seconds):
                if self.is_scripted(str(body["model"])):
                    call.provider, call.scripted = "scripted", True
                    return await self._scripted.answer(body, call.request)
                return await self._forward(call, body)
        except TimeoutError as error:
            raise Unreachable(f"the provider did not answer in {self._settings.call_seconds:g} s") from error

    def is_scripted(self, model: str) -> bool:
        """Whether the scripted provider answers this model."""
        return model.startswith(MODEL_PREFIX) or self._settings.default_route == "scripted"

    async def models(self, holder: Holder) -> list[dict[str, Any]]:
        """The upstream's models, where there is one."""
        if self._settings.default_route == "scripted":
            return []
        try:
            key = await self._key(holder)
            headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}
            url = f"{self._settings.openai_url.rstrip('/')}/models"
            async with self._http().get(url, headers=headers, allow_redirects=False) as response:
                document = orjson.loads(await response.read())
        except (NoRoute, aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError):
            return []
        data = document.get("data") if isinstance(document, dict) else None
        return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []

    async def _forward(self, call: Call, body: dict[str, Any]) -> Answer:
        call.provider = urlsplit(self._settings.openai_url).hostname
        key = await self._key(call.holder)
        raw = call.request
        if body.get("stream") is True:
            options = body.get("stream_options")
            if not (isinstance(options, dict) and options.get("include_usage")):
                # Tokens must be counted; the extra event is taken out again before the agent sees it.
                forced = {**(options if isinstance(options, dict) else {}), "include_usage": True}
                call.request_patch = {"stream_options": forced}
                raw = orjson.dumps({**body, "stream_options": forced})
        headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            "Accept": SSE if body.get("stream") else "application/json",
        }
        url = f"{self._settings.openai_url.rstrip('/')}/chat/completions"
        try:
            response = await self._http().post(url, data=raw, headers=headers, allow_redirects=False)
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"the provider could not be reached: {type(error).__name__}") from error
        passed = [
            (name.lower().encode(), value.encode("latin-1", "replace"))
            for name, value in response.headers.items()
            if name.lower() in PASSED_ON or name.lower().startswith(PASSED_PREFIXES)
        ]
        content_type = response.headers.get("Content-Type", "application/json")
        return Answer(response.status, content_type, _chunks(response, self._settings.call_seconds), passed)

    async def _key(self, holder: Holder) -> str:
        path = holder.provider_keys.get(PROVIDER_KEY)
        if path is None:
            if self._settings.openai_api_key is None:
                raise NoRoute(
                    "no provider is configured for this model: give the agent an OPENAI_API_KEY, set the"
                    " platform's, or use a model named scripted/*"
                )
            return self._settings.openai_api_key.get_secret_value()
        known = self._revealed.get((holder.org_id, path))
        if known is not None and known[0] > self._clock.monotonic():
            return known[1]
        try:
            value = (await self._secrets.reveal(holder.org_id, path)).value
        except NotFound as error:
            raise NoRoute("the agent's provider key is no longer in the vault; deploy it again") from error
        except PlatformError as error:
            raise Unreachable(f"the vault does not answer: {error.detail}") from error
        self._revealed[holder.org_id, path] = (self._clock.monotonic() + REVEALED_SECONDS, value)
        if len(self._revealed) > REMEMBERED:
            self._revealed.popitem(last=False)
        return value


async def _chunks(response: aiohttp.ClientResponse, seconds: float) -> AsyncIterator[bytes]:
    try:
        async with asyncio.timeout(seconds):
            async for chunk in response.content.iter_any():
                yield chunk
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise CutStream(f"the provider broke off: {type(error).__name__}") from error
    finally:
        response.close() if not response.content.at_eof() else response.release()
