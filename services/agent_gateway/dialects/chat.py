"""OpenAI's `POST /v1/chat/completions`, which most providers and local servers speak too."""

from typing import Any

from services.agent_gateway.dialects.dialect import (
    DocumentReader,
    Part,
    Provider,
    require_function,
    require_list,
    require_text,
    require_tools,
    tokens,
)
from services.agent_gateway.dialects.errors import OPENAI, ErrorShape
from services.agent_gateway.dialects.pieces import of_chunk
from services.agent_gateway.shapes import Outcome, as_dict, as_dicts

DONE = b"[DONE]"


class Chat:
    """The dialect of chat completions."""

    path = "/v1/chat/completions"
    provider: Provider = "openai"
    errors: ErrorShape = OPENAI

    def check(self, body: dict[str, Any]) -> None:
        """Refuse what no provider would take."""
        require_text(body, "model")
        require_list(body, "messages")
        for place, tool in enumerate(require_tools(body)):
            if tool.get("type", "function") == "function":
                require_function(as_dict(tool.get("function")), "parameters", f"tools.{place}.function")

    def forced(self, body: dict[str, Any]) -> dict[str, Any]:
        """A stream must say its usage, or nobody could count it."""
        options = as_dict(body.get("stream_options"))
        if body.get("stream") is not True or options.get("include_usage"):
            return {}
        return {"stream_options": {**options, "include_usage": True}}

    def read(self, document: dict[str, Any]) -> Outcome:
        """What an answer in one piece says."""
        outcome = Outcome()
        count(document, outcome)
        for choice in as_dicts(document.get("choices")):
            for call in as_dicts(as_dict(choice.get("message")).get("tool_calls")):
                outcome.tool_calls.append(_name(call))
        return outcome

    def reader(self, forced: bool) -> "ChatReader":
        """Reads a stream."""
        return ChatReader(forced)


class ChatReader(DocumentReader):
    """Reads a stream of chunks up to its `[DONE]`."""

    def __init__(self, forced: bool) -> None:
        super().__init__(of_chunk)
        self._forced = forced

    def odd(self, data: bytes) -> Part:
        """The mark of the end is no document."""
        if data != DONE:
            return super().odd(data)
        self.outcome.well_formed = True
        return Part.LAST

    def read(self, document: dict[str, Any]) -> Part:
        """A chunk: text, parts of tool calls, or the usage."""
        count(document, self.outcome)
        choices = document.get("choices")
        if not choices:
            return Part.REMOVED if self._forced and document.get("usage") else Part.PASSED
        for choice in as_dicts(choices):
            if calls := as_dict(choice.get("delta")).get("tool_calls"):
                self.outcome.tool_calls.extend(name for call in as_dicts(calls) if (name := _name(call)))
        return Part.PASSED


def count(document: dict[str, Any], outcome: Outcome) -> None:
    """Take the usage over; of input that was cached and output that was reasoning, too."""
    usage = document.get("usage")
    if not isinstance(usage, dict):
        return
    outcome.tokens_in = tokens(usage.get("prompt_tokens"))
    outcome.tokens_out = tokens(usage.get("completion_tokens"))
    outcome.tokens_cached = tokens(as_dict(usage.get("prompt_tokens_details")).get("cached_tokens"))
    details = as_dict(usage.get("completion_tokens_details"))
    outcome.tokens_reasoning = tokens(details.get("reasoning_tokens"))


def _name(call: dict[str, Any]) -> str:
    return str(as_dict(call.get("function") or call.get("custom")).get("name") or "")
