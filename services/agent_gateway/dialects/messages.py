"""Anthropic's `POST /v1/messages` and its count of tokens."""

from typing import Any

from services.agent_gateway.dialects.dialect import (
    DocumentReader,
    Part,
    Provider,
    Reader,
    invalid,
    require_function,
    require_list,
    require_text,
    require_tools,
    tokens,
)
from services.agent_gateway.dialects.errors import ANTHROPIC, ErrorShape
from services.agent_gateway.dialects.pieces import of_message_event
from services.agent_gateway.dialects.unstreamed import Unstreamed
from services.agent_gateway.shapes import Outcome, as_dict, as_dicts


class Messages:
    """The dialect of messages."""

    path = "/v1/messages"
    provider: Provider = "anthropic"
    errors: ErrorShape = ANTHROPIC

    def check(self, body: dict[str, Any]) -> None:
        """Refuse what the provider would not take."""
        require_text(body, "model")
        require_list(body, "messages")
        if not isinstance(body.get("max_tokens"), int) or body["max_tokens"] < 0:
            raise invalid("max_tokens: Field required, a whole number.", "max_tokens")
        _check_tools(body)

    def forced(self, body: dict[str, Any]) -> dict[str, Any]:
        """Nothing: an answer always says its usage."""
        return {}

    def read(self, document: dict[str, Any]) -> Outcome:
        """What a message says."""
        outcome = Outcome()
        _count(as_dict(document.get("usage")), outcome)
        for block in as_dicts(document.get("content")):
            if block.get("type") == "tool_use":
                outcome.tool_calls.append(str(block.get("name", "")))
        return outcome

    def reader(self, forced: bool) -> "MessagesReader":
        """Reads a stream."""
        return MessagesReader(of_message_event)


class MessagesReader(DocumentReader):
    """Reads a stream up to its `message_stop`."""

    def read(self, document: dict[str, Any]) -> Part:
        """An event: the start and the last delta carry usage, a block's start a tool's name."""
        match document.get("type"):
            case "message_start":
                _count(as_dict(as_dict(document.get("message")).get("usage")), self.outcome)
            case "message_delta":
                _count(as_dict(document.get("usage")), self.outcome)
            case "content_block_start":
                block = as_dict(document.get("content_block"))
                if block.get("type") == "tool_use":
                    self.outcome.tool_calls.append(str(block.get("name", "")))
            case "message_stop":
                self.outcome.well_formed = True
                return Part.LAST
        return Part.PASSED


class CountTokens:
    """The dialect of `POST /v1/messages/count_tokens`, which costs nothing."""

    path = "/v1/messages/count_tokens"
    provider: Provider = "anthropic"
    errors: ErrorShape = ANTHROPIC

    def check(self, body: dict[str, Any]) -> None:
        """Refuse what the provider would not take."""
        require_text(body, "model")
        require_list(body, "messages")
        _check_tools(body)

    def forced(self, body: dict[str, Any]) -> dict[str, Any]:
        """Nothing."""
        return {}

    def read(self, document: dict[str, Any]) -> Outcome:
        """Counted tokens are not spent."""
        return Outcome()

    def reader(self, forced: bool) -> Reader:
        """A count comes in one piece."""
        return Unstreamed()


def _check_tools(body: dict[str, Any]) -> None:
    for place, tool in enumerate(require_tools(body)):
        if tool.get("type", "custom") == "custom":
            require_function(tool, "input_schema", f"tools.{place}")


def _count(usage: dict[str, Any], outcome: Outcome) -> None:
    """Anthropic counts cached input apart; `message_delta` repeats what has grown since the start."""
    if "input_tokens" in usage or "cache_read_input_tokens" in usage:
        cached = tokens(usage.get("cache_read_input_tokens"))
        written = tokens(usage.get("cache_creation_input_tokens"))
        fresh = tokens(usage.get("input_tokens"))
        if fresh + written + cached >= outcome.tokens_in:
            outcome.tokens_in, outcome.tokens_cached = fresh + written + cached, cached
            outcome.tokens_cache_written = written
            outcome.tokens_cache_written = written
    if "output_tokens" in usage:
        outcome.tokens_out = tokens(usage.get("output_tokens"))
    if "output_tokens_details" in usage:
        details = as_dict(usage["output_tokens_details"])
        outcome.tokens_reasoning = tokens(details.get("thinking_tokens"))
