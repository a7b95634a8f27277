"""`agentplane fork-memory …`: what a fork did to memory, and whether it is to stay."""

from __future__ import annotations

import typer

from agentplane_cli.connection import connect
from agentplane_cli.executions import Id
from agentplane_cli.output import Format, Output, age, show_json, show_list
from agentplane_cli.terminal import say

app = typer.Typer(help="What forks did to memory, kept apart from their agent's.", no_args_is_help=True)


@app.command("list")
def list_changes(context: typer.Context, execution: Id, output: Output = Format.TABLE) -> None:
    """List what a fork remembered, changed and forgot."""
    show_list(
        connect(context).get(f"/time-travel/executions/{execution}/memory"),
        ("MEMORY", "WHAT", "SCOPE", "AGE", "CONTENT"),
        lambda each: (
            each["memory_id"], each["kind"], (each["memory"] or {}).get("scope"), age(each["at"]),
            (each["memory"] or {}).get("content"),
        ),
        output=output,
        empty="it changed nothing in memory",
    )  # fmt: skip


@app.command()
def promote(context: typer.Context, execution: Id, output: Output = Format.TABLE) -> None:
    """Make a fork's changes those of its agent's own memory."""
    done = connect(context).post(f"/time-travel/executions/{execution}/memory/promote")
    if output is Format.JSON:
        show_json(done)
    else:
        named = [f"{done[name]} {name.replace('_', ' ')}" for name in done if done[name]]
        say(", ".join(named) or "there was nothing to promote")


@app.command()
def discard(context: typer.Context, execution: Id) -> None:
    """Forget what a fork did to memory; the agent's own stays as it is."""
    connect(context).delete(f"/time-travel/executions/{execution}/memory")
    say("forgotten")
