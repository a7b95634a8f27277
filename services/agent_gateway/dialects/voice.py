"""How the scripted provider speaks: what it says in a turn, put into a provider's shape."""

from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from services.agent_gateway.script import Turn

WORDS_A_CHUNK = 4


@dataclass(frozen=True)
class Said:
    """One turn of the scripted model, before it has a shape; `name` is made from the request's bytes."""

    turn: Turn
    model: Any
    name: str
    created: int
    tokens_in: int

    @property
    def text(self) -> str:
        """What it says; empty when it calls tools only."""
        return self.turn.text or ""

    @property
    def calls(self) -> list[tuple[str, str, str]]:
        """Its tool calls: the end of an id, the tool's name, and the arguments as JSON."""
        return [
            (f"{self.name[:20]}{place:02d}", call.name, orjson.dumps(call.arguments).decode())
            for place, call in enumerate(self.turn.tool_calls)
        ]

    @property
    def tokens_out(self) -> int:
        """About a token for four characters."""
        return max(1, (len(self.text) + sum(len(name) + len(given) for _, name, given in self.calls)) // 4)

    @property
    def pieces(self) -> list[str]:
        """The text in the pieces of a stream."""
        words = self.text.split(" ") if self.text else []
        starts = range(0, len(words), WORDS_A_CHUNK)
        parts = [" ".join(words[start : start + WORDS_A_CHUNK]) for start in starts]
        return [part if place == 0 else f" {part}" for place, part in enumerate(parts)]


class Voice(Protocol):
    """One dialect, spoken."""

    def heard(self, body: dict[str, Any]) -> dict[str, Any]:
        """The request as chat completions would have put it: what the script understands."""

    def whole(self, said: Said, body: dict[str, Any]) -> bytes:
        """The answer in one piece."""

    def events(self, said: Said, body: dict[str, Any]) -> list[bytes]:
        """The answer as a stream, up to its end."""


def halves(text: str) -> tuple[str, str]:
    """A text in two pieces, as arguments arrive in a stream."""
    return text[: len(text) // 2], text[len(text) // 2 :]
