"""
OpenAI's `POST /v1/responses`.

`previous_response_id` hides the conversation at the provider; `chains.py` resolves it where that is needed.
Responses in the background are refused: their answer would come by another way than through the boundary.
"""

from typing import Any

from services.agent_gateway.dialects.dialect import (
    DocumentReader,
    Part,
    Provider,
    error_text,
    invalid,
    require_function,
    require_text,
    require_tools,
    tokens,
)
from services.agent_gateway.dialects.errors import RESPONSES, ErrorShape
from services.agent_gateway.dialects.pieces import of_response_event
from services.agent_gateway.shapes import Outcome, as_dict, as_dicts

ENDS = frozenset({"response.completed", "response.failed", "response.incomplete"})


class Responses:
    """The dialect of responses."""

    path = "/v1/responses"
    provider: Provider = "openai"
    errors: ErrorShape = RESPONSES

    def check(self, body: dict[str, Any]) -> None:
        """Refuse what no provider would take, and what would leave the boundary."""
        require_text(body, "model")
        if not isinstance(body.get("input", ""), str | list):
            raise invalid("`input` must be a text or a list of items.", "input")
        if body.get("background"):
            message = "Background responses are not offered: their answer could not be recorded. Stream it."
            raise invalid(message, "background", "unsupported_parameter")
        if not isinstance(body.get("previous_response_id"), str | None):
            raise invalid("`previous_response_id` must be a string.", "previous_response_id")
        for place, tool in enumerate(require_tools(body)):
            if tool.get("type") == "function":
                require_function(tool, "parameters", f"tools.{place}")

    def forced(self, body: dict[str, Any]) -> dict[str, Any]:
        """Nothing: the last event always says the usage."""
        return {}

    def read(self, document: dict[str, Any]) -> Outcome:
        """What a response says; one that failed says why in its `error`."""
        outcome = Outcome(document=document)
        usage = as_dict(document.get("usage"))
        outcome.tokens_in = tokens(usage.get("input_tokens"))
        outcome.tokens_out = tokens(usage.get("output_tokens"))
        outcome.tokens_cached = tokens(as_dict(usage.get("input_tokens_details")).get("cached_tokens"))
        details = as_dict(usage.get("output_tokens_details"))
        outcome.tokens_reasoning = tokens(details.get("reasoning_tokens"))
        for item in as_dicts(document.get("output")):
            if item.get("type") in {"function_call", "custom_tool_call"}:
                outcome.tool_calls.append(str(item.get("name", "")))
        return outcome

    def reader(self, forced: bool) -> "ResponsesReader":
        """Reads a stream."""
        return ResponsesReader(self)


class ResponsesReader(DocumentReader):
    """Reads a stream up to the event that holds the whole response."""

    def __init__(self, dialect: Responses) -> None:
        super().__init__(of_response_event)
        self._dialect = dialect

    def read(self, document: dict[str, Any]) -> Part:
        """An event; the last one repeats all that was said."""
        if document.get("type") == "error":
            message = document.get("message")
            self.outcome.error = self.outcome.error or str(message or "error")[:2000]
        if document.get("type") not in ENDS:
            return Part.PASSED
        response = as_dict(document.get("response"))
        before = self.outcome
        self.outcome = self._dialect.read(response)
        self.outcome.error = before.error or error_text(response)
        self.outcome.pieces, self.outcome.texts = before.pieces, before.texts
        return Part.LAST
