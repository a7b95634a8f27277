"""`agentplane usage`: calls, tokens and cost, by day, agent, model or kind."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agentplane_cli.agents import find_agent
from agentplane_cli.connection import connect
from agentplane_cli.output import Format, Output, dollars, show_json, show_list
from agentplane_cli.terminal import say

_NAMES = {"day": "DAY", "agent_id": "AGENT", "model": "MODEL", "kind": "KIND"}


def usage(
    context: typer.Context,
    by: Annotated[str, typer.Option(help="day, agent_id, model, kind; comma separated.")] = "day",
    agent: Annotated[str | None, typer.Option("--agent", "-a", help="Of this agent (name or id).")] = None,
    since: Annotated[str | None, typer.Option(help="First day (UTC), as 2026-11-01.")] = None,
    until: Annotated[str | None, typer.Option(help="Last day (UTC), included.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Show what was used: calls, tokens and cost of the last 30 days, or of those that are named."""
    api = connect(context)
    agent_id = find_agent(api, agent)["id"] if agent else None
    found = api.get("/usage", by=by, agent_id=agent_id, since=since, until=until)
    if output is Format.JSON:
        show_json(found)
        return
    asked = [name for name in _NAMES if name in by.replace(" ", "").split(",")]
    show_list(
        found["rows"],
        (*(_NAMES[name] for name in asked), "CALLS", "FAILED", "TOKENS", "COST"),
        lambda row: (*(row[name] or "-" for name in asked), *_sums(row)),
        output=output,
        empty=f"nothing was used from {found['since']} to {found['until']}",
    )
    calls, failed, tokens, cost = _sums(found["total"])
    say(f"{found['since']} to {found['until']}: {calls} calls, {failed} failed, {tokens} tokens, {cost}")
    for name, meaning in (
        ("scripted", "answered by the scripted model"),
        ("unpriced", "to a model without a price: their cost is not known"),
        ("unattributed", "belong to no execution"),
    ):
        if count := found["total"][name]:
            say(f"  {count} of the calls {meaning}")


def _sums(row: dict[str, Any]) -> tuple[int, int, str, str]:
    return row["calls"], row["failed"], f"{row['tokens_in']}+{row['tokens_out']}", dollars(row["cost_nano"])
