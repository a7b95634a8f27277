"""
What a tool does to the world, judged by what is known of it: a pure decision.

| known of the tool                                   | effect         |
|-----------------------------------------------------|----------------|
| the organisation's override                         | what it says   |
| `readOnlyHint: true`                                | `read`         |
| `destructiveHint: true`, said and not only implied  | `irreversible` |
| anything else, also nothing at all                  | `write`        |

MCP calls a tool destructive by default; taken at its word, every tool without annotations would be
irreversible, and nothing could be forked. A `write` is never silently repeated either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from services.agent_gateway.shapes import as_dict
from services.contracts.steps import Effect
from services.contracts.tools import McpTool


@dataclass(frozen=True)
class Described:
    """One tool of a server: its own description, and what the gateway makes of it."""

    server: str
    name: str
    description: dict[str, Any]
    effect: Effect
    effect_from: Literal["override", "annotations", "default"]
    idempotent: bool

    def shown(self) -> McpTool:
        """The tool as the API shows it."""
        text = self.description.get("description")
        return McpTool(
            server=self.server,
            name=self.name,
            description=text if isinstance(text, str) else None,
            input_schema=as_dict(self.description.get("inputSchema")),
            effect=self.effect,
            effect_from=self.effect_from,
            idempotent=self.idempotent,
        )


def described(server: str, tool: dict[str, Any], overrides: Mapping[str, Effect]) -> Described:
    """A tool with its effect."""
    name = str(tool.get("name"))
    hints = as_dict(tool.get("annotations"))
    effect, source = _effect(name, hints, overrides)
    return Described(server, name, tool, effect, source, hints.get("idempotentHint") is True)


def _effect(
    name: str, hints: Mapping[str, Any], overrides: Mapping[str, Effect]
) -> tuple[Effect, Literal["override", "annotations", "default"]]:
    if name in overrides:
        return overrides[name], "override"
    if hints.get("readOnlyHint") is True:
        return Effect.READ, "annotations"
    if hints.get("destructiveHint") is True:
        return Effect.IRREVERSIBLE, "annotations"
    return Effect.WRITE, "annotations" if hints.get("destructiveHint") is False else "default"
