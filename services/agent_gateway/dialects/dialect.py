"""What a dialect is: how requests of one path are checked, and how its answers are read."""

from abc import ABC, abstractmethod
from enum import Enum, auto
from typing import Any, Literal, Protocol

import orjson

from services.agent_gateway.dialects.errors import ErrorShape
from services.agent_gateway.dialects.events import data_of
from services.agent_gateway.refusals import Refused
from services.agent_gateway.shapes import Outcome, Pieces, as_dicts
from services.contracts.agents import Cause

Provider = Literal["openai", "anthropic"]
NOT_JSON = "an event of the provider's stream is not JSON"
ENDED_EARLY = "the provider's stream ended early"


class Part(Enum):
    """What becomes of one event of a stream."""

    PASSED = auto()
    REMOVED = auto()
    """The agent did not ask for it; it was counted."""
    LAST = auto()
    """Ends the stream: held until the step is durable."""
    BROKEN = auto()
    """No SDK could read it: the stream ends here, with an error they can."""


class Reader(Protocol):
    """Reads one stream, event by event."""

    outcome: Outcome

    def take(self, block: bytes) -> Part:
        """Read the next event and say what becomes of it."""

    def end(self) -> Outcome:
        """What the stream said; an outcome that is not well formed when it did not end as it should."""


class Dialect(Protocol):
    """One path of a provider, as far as the gateway must know it."""

    path: str
    provider: Provider
    errors: ErrorShape

    def check(self, body: dict[str, Any]) -> None:
        """Refuse what no provider would take; raises `Refused`."""

    def forced(self, body: dict[str, Any]) -> dict[str, Any]:
        """Fields the upstream's request must have otherwise, so that the answer can be counted."""

    def read(self, document: dict[str, Any]) -> Outcome:
        """What an answer in one piece says."""

    def reader(self, forced: bool) -> Reader:
        """Reads a stream; `forced` when it carries what only the gateway asked for."""


def parsed(raw: bytes) -> dict[str, Any]:
    """A request's body; raises `Refused` when it is no JSON object."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise invalid(f"The body is not JSON: {error}", code="invalid_json") from error
    if not isinstance(body, dict):
        raise invalid("The body must be a JSON object.", code="invalid_json")
    return body


def read_whole(dialect: Dialect, body: bytes) -> Outcome:
    """What an answer in one piece says, whatever it is."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Outcome(error="the provider's answer is not JSON", well_formed=False)
    if not isinstance(document, dict):
        return Outcome(error="the provider's answer is not a JSON object", well_formed=False)
    outcome = dialect.read(document)
    outcome.error = outcome.error or error_text(document)
    return outcome


class DocumentReader(ABC):
    """A reader for streams whose events are JSON documents; a dialect adds what they mean."""

    def __init__(self, pieces: Pieces) -> None:
        self.outcome = Outcome(well_formed=False, pieces=pieces)
        self._pieces = pieces

    def take(self, block: bytes) -> Part:
        """Read the next event and say what becomes of it."""
        data = data_of(block)
        if not data:
            return Part.LAST if self.outcome.well_formed else Part.PASSED
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            return self.odd(data)
        if not isinstance(document, dict):
            return self.odd(data)
        if error := error_text(document):
            self.outcome.error = self.outcome.error or error
        for channel, place, name in self._pieces(document):
            self.outcome.texts.setdefault(channel, []).append(place[name])
        return self.read(document)

    @abstractmethod
    def read(self, document: dict[str, Any]) -> Part:
        """What an event means; each dialect's own."""

    def odd(self, data: bytes) -> Part:
        """An event that is no document."""
        self.outcome.error = self.outcome.error or f"{NOT_JSON}: {data[:80]!r}"
        return Part.BROKEN

    def end(self) -> Outcome:
        """What the stream said."""
        if not self.outcome.well_formed:
            self.outcome.error = self.outcome.error or ENDED_EARLY
        return self.outcome


def invalid(message: str, param: str | None = None, code: str = "invalid_request") -> Refused:
    """The refusal of a request that no provider would take."""
    return Refused(400, code, message, Cause.LLM_REJECTED, param)


def require_text(body: dict[str, Any], name: str) -> None:
    """A field that must be a string with something in it."""
    if not isinstance(body.get(name), str) or not body[name]:
        raise invalid(f"You must provide a {name} parameter.", name, "missing_required_parameter")


def require_list(body: dict[str, Any], name: str) -> None:
    """A field that must be a list with something in it."""
    if not isinstance(body.get(name), list) or not body[name]:
        message = f"`{name}` must be a list with at least one element."
        raise invalid(message, name, "missing_required_parameter")


def require_tools(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The offered tools, which must be objects."""
    tools = body.get("tools")
    if tools is None:
        return []
    if not isinstance(tools, list) or len(as_dicts(tools)) != len(tools):
        raise invalid("`tools` must be a list of objects.", "tools", "invalid_type")
    return as_dicts(tools)


def require_function(tool: dict[str, Any], schema: str, where: str) -> None:
    """A tool that is a function has a name, and its schema is an object."""
    if not isinstance(tool.get("name"), str) or not tool["name"]:
        raise invalid(f"{where}.name must be a string.", f"{where}.name", "invalid_function_parameters")
    if not isinstance(tool.get(schema), dict | None):
        message = f"{where}.{schema} must be a JSON schema, which is an object."
        raise invalid(message, f"{where}.{schema}", "invalid_function_parameters")


def tokens(value: Any) -> int:
    """A count of tokens; 0 for what is none."""
    return value if isinstance(value, int) and 0 <= value < 2**31 else 0


def error_text(document: dict[str, Any]) -> str | None:
    """What an answer says went wrong, if it says so."""
    error = document.get("error")
    if isinstance(error, dict):
        return str(error.get("message") or error.get("code") or error.get("type") or "error")[:2000]
    return str(error)[:2000] if error else None
