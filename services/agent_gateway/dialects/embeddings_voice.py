"""
The scripted provider's embeddings: the same text has the same vector, and texts that share words are near.

Every word is hashed to a few places of the vector, with a sign each (feature hashing: Weinberger et al.,
2009); the sum is brought to length one.
"""

import base64
import hashlib
import math
import re
from array import array
from typing import Any

import orjson

from services.agent_gateway.dialects.dialect import invalid
from services.agent_gateway.dialects.voice import Said

DIMENSIONS = 1536
MOST_DIMENSIONS = 8192
MOST_INPUTS = 2048
PLACES_A_WORD = 8
_WORD = re.compile(r"\w{1,64}")


class EmbeddingsVoice:
    """Speaks embeddings."""

    def heard(self, body: dict[str, Any]) -> dict[str, Any]:
        """Only the model's name can ask for something else than vectors."""
        return {"model": body.get("model"), "messages": []}

    def whole(self, said: Said, body: dict[str, Any]) -> bytes:
        """One vector for each input."""
        dimensions = body.get("dimensions") or DIMENSIONS
        if not isinstance(dimensions, int) or not 0 < dimensions <= MOST_DIMENSIONS:
            raise invalid(f"`dimensions` must be from 1 to {MOST_DIMENSIONS}.", "dimensions")
        inputs = _inputs(body["input"])
        if len(inputs) > MOST_INPUTS:
            raise invalid(f"`input` may have at most {MOST_INPUTS} texts.", "input")
        written = _base64 if body.get("encoding_format") == "base64" else list
        data = [
            {"object": "embedding", "index": place, "embedding": written(vector(text, dimensions))}
            for place, text in enumerate(inputs)
        ]
        usage = {"prompt_tokens": said.tokens_in, "total_tokens": said.tokens_in}
        return orjson.dumps({"object": "list", "data": data, "model": said.model, "usage": usage})

    def events(self, said: Said, body: dict[str, Any]) -> list[bytes]:
        """Embeddings do not stream."""
        return [self.whole(said, body)]


def vector(text: str, dimensions: int) -> "array[float]":
    """The text's vector, of length one."""
    values = array("f", bytes(4 * dimensions))
    for word in _WORD.findall(text.lower()) or [text]:
        digest = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=4 * PLACES_A_WORD).digest()
        for at in range(0, len(digest), 4):
            place = int.from_bytes(digest[at : at + 4], "little")
            values[(place >> 1) % dimensions] += 1.0 if place & 1 else -1.0
    length = math.sqrt(math.fsum(value * value for value in values)) or 1.0
    return array("f", (value / length for value in values))


def _inputs(given: Any) -> list[str]:
    """Texts stay texts; a list of tokens is one input."""
    if isinstance(given, str):
        return [given]
    if all(isinstance(each, int) for each in given):
        return [" ".join(map(str, given))]
    return [each if isinstance(each, str) else " ".join(map(str, each)) for each in map(_checked, given)]


def _checked(each: Any) -> Any:
    if isinstance(each, str) or (isinstance(each, list) and all(isinstance(token, int) for token in each)):
        return each
    raise invalid("`input` must be a text, or a list of texts or tokens.", "input")


def _base64(values: "array[float]") -> str:
    return base64.b64encode(values.tobytes()).decode()
