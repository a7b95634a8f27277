"""`agentplane budgets …`: the most that the organisation and each agent may spend."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agentplane_cli.agents import find_agent
from agentplane_cli.amounts import nano
from agentplane_cli.api import Api
from agentplane_cli.connection import connect
from agentplane_cli.output import Format, Output, dollars, show_json, show_list
from agentplane_cli.terminal import say

app = typer.Typer(help="Budgets: the most that may be spent.", no_args_is_help=True)
Agent = Annotated[str | None, typer.Option("--agent", "-a", help="Of this agent; else the organisation's.")]
Cost = Annotated[str | None, typer.Option(help="Dollars, as 1.50.")]
Count = Annotated[int | None, typer.Option(min=0)]
Period = Annotated[str, typer.Option(help="total, day or month (UTC).")]


@app.command("list")
def list_budgets(context: typer.Context, output: Output = Format.TABLE) -> None:
    """List the budgets that were set, with what is spent of each."""
    api = connect(context)
    show_list(
        api.get("/budgets"),
        ("OF", "PERIOD", "COST", "TOKENS", "STEPS", "TOOL CALLS", "HELD"),
        lambda each: (
            each["agent_id"] or "organisation", each["period"], _of(each, "nano"), _of(each, "tokens"),
            _of(each, "steps"), _of(each, "tool_calls"), dollars(each["held_nano"]),
        ),
        output=output,
        empty="no budgets yet; `agentplane budgets set --cost 10 --period month` makes one",
    )  # fmt: skip


@app.command("set")
def set_budget(
    context: typer.Context,
    agent: Agent = None,
    cost: Cost = None,
    tokens: Count = None,
    steps: Count = None,
    tool_calls: Count = None,
    period: Period = "total",
    output: Output = Format.TABLE,
) -> None:
    """Set a budget; what is not given is without limit, and what was spent of it stays."""
    api = connect(context)
    body = {
        "cost_nano": None if cost is None else nano(cost),
        "tokens": tokens,
        "steps": steps,
        "tool_calls": tool_calls,
        "period": period,
    }
    made = api.put(_path(api, agent), body)
    if output is Format.JSON:
        show_json(made)
    else:
        say(f"{agent or 'the organisation'}: {_of(made, 'nano') or 'no limit on cost'} per {made['period']}")


@app.command()
def delete(context: typer.Context, agent: Agent = None) -> None:
    """Lift a budget and forget what was spent of it."""
    api = connect(context)
    api.delete(_path(api, agent))
    say(f"{agent or 'the organisation'} has no budget any more")


def _path(api: Api, agent: str | None) -> str:
    return f"/budgets/agents/{find_agent(api, agent)['id']}" if agent else "/budgets/organisation"


def _of(budget: dict[str, Any], kind: str) -> str:
    limit = budget["cost_nano" if kind == "nano" else kind]
    if limit is None:
        return ""
    spent = budget[f"spent_{kind}"]
    return f"{dollars(spent)} of {dollars(limit)}" if kind == "nano" else f"{spent:,} of {limit:,}"
