"""The embeddings provider as the service sees it: batches, timeouts, a cache, and rests after failures."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import orjson

from services.chassis.clock import Clock
from services.chassis.origin import Origin
from services.memory_vector_engine.faults import EmbeddingFault, Misconfigured, Refused, UnknownModel
from services.memory_vector_engine.provider import (
    Embedded,
    Model,
    api_key,
    check_mapping,
    check_status,
    endpoint,
    parse_answer,
)
from services.memory_vector_engine.rotation import Vector
from services.memory_vector_engine.settings import MemorySettings

FIRST_REST_SECONDS = 0.25
LONGEST_REST_SECONDS = 60.0
MOST_ANSWER_BYTES = 256 * 1024 * 1024
# An origin leaves bodies as they come, so none may come compressed.
FIELDS = (("Content-Type", "application/json"), ("Accept-Encoding", "identity"), ("User-Agent", "agentplane"))


class Embeddings:
    """Speaks to one provider; after a failure it lets it rest, longer each time."""

    def __init__(self, settings: MemorySettings, origin_of: Callable[[str], Origin], clock: Clock) -> None:
        self._settings = settings
        self._origin_of = origin_of
        self._clock = clock
        self._cache: OrderedDict[tuple[Model, str], Vector] = OrderedDict()
        self._rests_until = 0.0
        self._failures = 0
        self._last: EmbeddingFault | None = None
        self._broken: EmbeddingFault | None = None
        self._url = ""
        # Shorter and read quicker than numbers as text; an endpoint that refuses it is asked for those.
        self._encoding = "base64"
        self.model = Model(
            settings.embedding_model, settings.embedding_dimensions, settings.embedding_mapping
        )
        try:
            self._url = endpoint(settings)
            check_mapping(self.model)
        except EmbeddingFault as fault:
            self._broken = fault

    @property
    def host(self) -> str | None:
        """Who makes the embeddings."""
        return urlsplit(self._url).hostname if self._url else None

    @property
    def usable(self) -> bool:
        """Whether a provider is configured that could work."""
        return self._broken is None

    @property
    def trouble(self) -> EmbeddingFault | None:
        """Why no embedding can be had now; null when it can be tried."""
        if self._broken is not None:
            return self._broken
        return self._last if self.rest_seconds > 0 else None

    @property
    def rest_seconds(self) -> float:
        """How long the provider is still left alone."""
        return max(0.0, self._rests_until - self._clock.monotonic())

    async def of_query(self, text: str, model: Model) -> Vector:
        """The embedding of a question, soon or not at all."""
        key = (model, text)
        if (known := self._cache.get(key)) is not None:
            self._cache.move_to_end(key)
            return known
        (vector,) = (await self.of_texts([text], model, self._settings.query_timeout_seconds)).vectors
        if self._settings.query_cache_size:
            self._cache[key] = vector
            if len(self._cache) > self._settings.query_cache_size:
                self._cache.popitem(last=False)
        return vector

    async def of_texts(self, texts: Sequence[str], model: Model, seconds: float | None = None) -> Embedded:
        """Embeddings of several texts in one request; a fault at once while the provider rests."""
        if (trouble := self.trouble) is not None:
            raise type(trouble)(trouble.detail, self.rest_seconds)
        try:
            embedded = await self._ask(texts, model, seconds or self._settings.batch_timeout_seconds)
        except (Refused, UnknownModel):
            raise
        except EmbeddingFault as fault:
            self._rest(fault)
            raise
        self._failures, self._last = 0, None
        return embedded

    async def _ask(self, texts: Sequence[str], model: Model, seconds: float) -> Embedded:
        try:
            return await self._ask_for(self._encoding, texts, model, seconds)
        except Refused:
            if self._encoding == "float":
                raise
        embedded = await self._ask_for("float", texts, model, seconds)
        self._encoding = "float"
        return embedded

    async def _ask_for(self, encoding: str, texts: Sequence[str], model: Model, seconds: float) -> Embedded:
        fields = [*FIELDS]
        if (key := api_key(self._settings)) is not None:
            fields.append(("Authorization", f"Bearer {key}"))
        body = orjson.dumps({"model": model.name, "input": list(texts), "encoding_format": encoding})
        try:
            async with asyncio.timeout(seconds):
                answer = await self._origin_of(self._url).ask("POST", "", fields, body)
                content = await answer.body(MOST_ANSWER_BYTES)
        except TimeoutError:
            raise EmbeddingFault(f"{self.host} did not answer in {seconds:g} s") from None
        except OSError as error:
            raise EmbeddingFault(f"{self.host} does not answer: {type(error).__name__}") from None
        except ValueError:
            raise Misconfigured("no request's head can hold this address or EMBEDDING_API_KEY") from None
        wait = dict(answer.headers).get(b"retry-after", b"0").decode("latin-1")
        check_status(answer.status, wait, str(self.host))
        return parse_answer(content, len(texts), model)

    def _rest(self, fault: EmbeddingFault) -> None:
        pause = min(LONGEST_REST_SECONDS, FIRST_REST_SECONDS * 2 ** min(self._failures, 10))
        self._failures += 1
        # A copy without the traceback, which would keep the request alive.
        self._last = type(fault)(fault.detail)
        asked = min(fault.retry_after, LONGEST_REST_SECONDS)
        self._rests_until = self._clock.monotonic() + max(pause, asked)
