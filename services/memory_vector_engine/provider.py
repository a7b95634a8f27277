"""What goes to an embeddings endpoint and what may come back; every doubt is a fault, nothing is guessed."""

import ipaddress
from base64 import b64decode
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import numpy as np
import orjson

from services.contracts.memories import DIMENSIONS
from services.memory_vector_engine.faults import (
    EmbeddingFault,
    Misconfigured,
    NoProvider,
    RateLimited,
    Refused,
    UnknownModel,
    WrongDimension,
)
from services.memory_vector_engine.rotation import Vector
from services.memory_vector_engine.settings import MemorySettings

OPENAI = "https://api.openai.com/v1"
OPENAI_HOST = "api.openai.com"


@dataclass(frozen=True)
class Model:
    """What makes embeddings comparable: the same name, dimension and mapping."""

    name: str
    dimensions: int
    mapping: Literal["exact", "pad", "truncate"]


@dataclass(frozen=True)
class Embedded:
    """Embeddings of a batch, in order, and what they cost."""

    vectors: list[Vector]
    tokens: int


def endpoint(settings: MemorySettings) -> str:
    """The address embeddings are asked from; a fault when there is none or it cannot be used."""
    base = settings.embedding_api_url or (OPENAI if settings.openai_api_key else None)
    if base is None:
        raise NoProvider("set OPENAI_API_KEY, or EMBEDDING_API_URL to an OpenAI-compatible endpoint")
    try:
        parts = urlsplit(base.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Misconfigured("EMBEDDING_API_URL is not a URL") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise Misconfigured("EMBEDDING_API_URL must begin with http:// or https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise Misconfigured("EMBEDDING_API_URL must not hold a password; set EMBEDDING_API_KEY")
    if parts.query or parts.fragment:
        raise Misconfigured("EMBEDDING_API_URL must not hold a query")
    if _is_link_local(host):
        raise Misconfigured("EMBEDDING_API_URL must not be a link-local address")
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path if path.endswith('/embeddings') else path + '/embeddings'}"


def api_key(settings: MemorySettings) -> str | None:
    """The key for the configured endpoint; OpenAI's key never goes to another host."""
    if settings.embedding_api_key is not None:
        return settings.embedding_api_key.get_secret_value()
    if settings.openai_api_key is not None and urlsplit(endpoint(settings)).hostname == OPENAI_HOST:
        return settings.openai_api_key.get_secret_value()
    return None


def check_mapping(model: Model) -> None:
    """A fault unless the declared mapping can bring the declared dimension to 1536."""
    fits = {
        "exact": model.dimensions == DIMENSIONS,
        "pad": model.dimensions < DIMENSIONS,
        "truncate": model.dimensions > DIMENSIONS,
    }
    if not fits[model.mapping]:
        raise Misconfigured(
            f"EMBEDDING_DIMENSIONS {model.dimensions} does not go with EMBEDDING_MAPPING {model.mapping}:"
            " 1536 needs exact, fewer need pad, more need truncate"
        )


def check_status(status: int, retry_after: str, host: str) -> None:
    """A fault unless the endpoint answered 200."""
    if status == 200:
        return
    if status == 429:
        raise RateLimited(f"{host} asks to wait", _seconds(retry_after))
    if status in {401, 403}:
        raise Misconfigured(f"{host} does not accept the key ({status})")
    if status == 404:
        raise UnknownModel(f"{host} has no such endpoint or model (404)")
    if status in {400, 413, 422}:
        raise Refused(f"{host} refuses the text ({status})")
    raise EmbeddingFault(f"{host} answered {status}", _seconds(retry_after))


def parse_answer(content: bytes, expected: int, model: Model) -> Embedded:
    """The embeddings of an answer, mapped to 1536 dimensions and scaled to length one."""
    try:
        document = orjson.loads(content)
        entries = sorted(document["data"], key=lambda entry: entry["index"])
        raw = [entry["embedding"] for entry in entries]
        indexes = [entry["index"] for entry in entries]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise EmbeddingFault("the provider's answer is not a list of embeddings") from None
    if indexes != list(range(expected)):
        raise EmbeddingFault(f"the provider answered {len(raw)} embeddings for {expected} texts")
    return Embedded([_mapped(values, model) for values in raw], _tokens(document))


def _mapped(values: Any, model: Model) -> Vector:
    try:
        # As base64 of little-endian single precision, or as a list.
        encoded = isinstance(values, str)
        given = np.frombuffer(b64decode(values), "<f4") if encoded else np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        raise EmbeddingFault("an embedding holds something that is not a number") from None
    if given.shape != (model.dimensions,):
        raise WrongDimension(
            f"the model {model.name} answers with {given.size} dimensions,"
            f" EMBEDDING_DIMENSIONS says {model.dimensions}"
        )
    if model.mapping == "pad":
        vector = np.zeros(DIMENSIONS, dtype=np.float32)
        vector[: model.dimensions] = given
    else:
        vector = given[:DIMENSIONS]
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0:
        raise EmbeddingFault("an embedding has no direction")
    return np.asarray(vector / length, dtype=np.float32)


def _tokens(document: dict[str, Any]) -> int:
    usage = document.get("usage")
    tokens = usage.get("total_tokens") if isinstance(usage, dict) else None
    return tokens if isinstance(tokens, int) and 0 <= tokens < 2**40 else 0


def _seconds(retry_after: str) -> float:
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        return 0.0


def _is_link_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_link_local
    except ValueError:
        return False
