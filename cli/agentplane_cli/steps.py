"""`agentplane steps …`: look for steps across executions, and show one in full."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from agentplane_cli.agents import find_agent
from agentplane_cli.amounts import nano
from agentplane_cli.connection import connect
from agentplane_cli.output import Format, Output, dollars, lasted, note, show_list
from agentplane_cli.step_detail import show_step

app = typer.Typer(help="Steps: what agents did at their boundary.", no_args_is_help=True)
# A page may be empty and have a next: so many are asked for before the user is asked to narrow the search.
MOST_PAGES = 50
Text = Annotated[str | None, typer.Option()]
Count = Annotated[int | None, typer.Option(min=0)]


@app.command()
def search(
    context: typer.Context,
    text: Annotated[
        str | None, typer.Argument(help="Said in the answer, or for the first time in the request.")
    ] = None,
    agent: Annotated[str | None, typer.Option("--agent", "-a", help="Of this agent (name or id).")] = None,
    execution: Annotated[str | None, typer.Option(help="Of this execution.")] = None,
    kind: Annotated[str | None, typer.Option(help="llm, tool, a2a, memory, http or interrupt.")] = None,
    name: Annotated[str | None, typer.Option(help="Path or tool that was called.")] = None,
    tool: Annotated[str | None, typer.Option(help="Calls of a tool, and answers that asked for it.")] = None,
    model: Text = None,
    recorded: Annotated[
        str | None,
        typer.Option(metavar="FIDELITY", help="Of executions recorded so far: egress, tools, models."),
    ] = None,
    status: Annotated[str | None, typer.Option(help="succeeded, failed or cancelled.")] = None,
    cause: Annotated[str | None, typer.Option(help="As policy_denied.")] = None,
    after: Annotated[
        list[str] | None,
        typer.Option(
            help="A step before it in its execution, as name=lookup,status=failed; may be repeated."
        ),
    ] = None,
    since: Annotated[str | None, typer.Option(help="RFC 3339, as 2026-11-22T00:00:00Z.")] = None,
    until: Text = None,
    min_cost: Annotated[str | None, typer.Option(help="Dollars.")] = None,
    min_tokens: Count = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    output: Output = Format.TABLE,
) -> None:
    """Look for steps, newest first: by what they are, what they say, and what came before them."""
    api = connect(context)
    query: dict[str, Any] = {
        "text": text, "agent_id": find_agent(api, agent)["id"] if agent else None, "execution_id": execution,
        "kind": kind, "name": name, "tool": tool, "model": model, "status": status, "cause": cause,
        "fidelity": recorded, "after": after, "since": since, "until": until,
        "min_cost_nano": nano(min_cost) if min_cost else None, "min_tokens": min_tokens,
        "limit": min(limit, 200),
    }  # fmt: skip
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = api.get("/steps", cursor=cursor, **query)
        found += page["items"]
        cursor = page["next_cursor"]
        if len(found) >= limit or cursor is None:
            break
    else:
        note(f"looked back to step {cursor} only; narrow the search, as with --agent or --until")
    show_list(
        found[:limit],
        ("STARTED", "EXECUTION", "STEP", "KIND", "NAME", "MODEL", "STATUS", "TOKENS", "COST", "TOOK"),
        _row,
        output=output,
        state=lambda each: each["step"]["status"],
        empty="no step is like that",
    )


@app.command()
def show(
    context: typer.Context,
    step: Annotated[str, typer.Argument(help="Id of the step.")],
    output: Output = Format.TABLE,
) -> None:
    """Show a step in full by its id, also one that belongs to no execution."""
    show_step(connect(context).get(f"/steps/{step}"), output)


@app.command()
def export(
    context: typer.Context,
    execution: Annotated[str, typer.Argument(help="Id of the execution.")],
    form: Annotated[str, typer.Option("--format", help="jsonl with exact bytes, or otlp spans.")] = "jsonl",
) -> None:
    """Write the steps of an execution to standard output, one a line."""
    for line in connect(context).lines(f"/executions/{execution}/export", format=form):
        sys.stdout.write(line + "\n")


def _row(match: dict[str, Any]) -> tuple[Any, ...]:
    step = match["step"]
    return (
        step["started_at"], step["execution_id"] or "unattributed", step["seq"], step["kind"], step["name"],
        f"{step['model']} (scripted)" if step["scripted"] else step["model"], step["cause"] or step["status"],
        f"{step['tokens_in']}+{step['tokens_out']}", dollars(step["cost_nano"]),
        lasted(step["started_at"], step["finished_at"]),
    )  # fmt: skip
