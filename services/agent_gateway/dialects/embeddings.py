"""OpenAI's `POST /v1/embeddings`, with floats or base64 as the agent asks for."""

from typing import Any

from services.agent_gateway.dialects.chat import count
from services.agent_gateway.dialects.dialect import Provider, Reader, invalid, require_text
from services.agent_gateway.dialects.errors import OPENAI, ErrorShape
from services.agent_gateway.dialects.unstreamed import Unstreamed
from services.agent_gateway.shapes import Outcome


class Embeddings:
    """The dialect of embeddings."""

    path = "/v1/embeddings"
    provider: Provider = "openai"
    errors: ErrorShape = OPENAI

    def check(self, body: dict[str, Any]) -> None:
        """Refuse what no provider would take."""
        require_text(body, "model")
        given = body.get("input")
        if not isinstance(given, str | list) or not given:
            raise invalid("`input` must be a text, or a list of texts or tokens.", "input")
        if body.get("encoding_format", "float") not in {"float", "base64", None}:
            raise invalid("`encoding_format` must be float or base64.", "encoding_format")

    def forced(self, body: dict[str, Any]) -> dict[str, Any]:
        """Nothing: an answer always says its usage."""
        return {}

    def read(self, document: dict[str, Any]) -> Outcome:
        """What an answer says."""
        outcome = Outcome()
        count(document, outcome)
        return outcome

    def reader(self, forced: bool) -> Reader:
        """Embeddings come in one piece."""
        return Unstreamed()
