"""`agentplane executions …`: list, show, cancel, steps."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agentplane_cli.agents import find_agent
from agentplane_cli.api import Api
from agentplane_cli.connection import connect
from agentplane_cli.output import (
    Format,
    Output,
    age,
    dollars,
    lasted,
    show_fields,
    show_json,
    show_list,
)
from agentplane_cli.terminal import say
from agentplane_cli.watching import watchable

app = typer.Typer(help="Executions: work that agents were given.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="EXECUTION", help="Id of the execution.")]
MOST_STEPS = 10_000
FIDELITY = {
    "none": "nothing that is still kept",
    "models": "models; functions inside the agent run again in a replay",
    "tools": "models and tools; what passed the egress proxy was not",
    "egress": "all that left the agent",
}


@app.command("list")
@watchable
def list_executions(
    context: typer.Context,
    agent: Annotated[str | None, typer.Option(help="Only of this agent (name or id).")] = None,
    status: Annotated[str | None, typer.Option(help="Only in this status.")] = None,
    recorded: Annotated[
        str | None,
        typer.Option(metavar="FIDELITY", help="How much was recorded: egress, tools, models, none."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    output: Output = Format.TABLE,
) -> None:
    """List executions, newest first."""
    api = connect(context)
    agent_id = find_agent(api, agent)["id"] if agent else None
    items = api.pages("/executions", limit, agent_id=agent_id, status=status, fidelity=recorded)
    show_list(
        items,
        ("ID", "AGENT", "STATUS", "CAUSE", "STEPS", "RECORDED", "TOOK", "AGE"),
        lambda each: (
            each["id"], each["agent_name"], each["status"], each["cause"], each["steps"], each["fidelity"],
            lasted(each["created_at"], each["finished_at"]), age(each["created_at"]),
        ),
        output=output,
        state=lambda each: each["status"],
        empty="no executions yet; `agentplane run AGENT` makes one",
    )  # fmt: skip


@app.command()
@watchable
def show(context: typer.Context, execution: Id, output: Output = Format.TABLE) -> None:
    """Show an execution with its output or its error."""
    timeline = connect(context).get(f"/time-travel/executions/{execution}", limit=1)
    document = timeline["execution"]
    if output is Format.JSON:
        show_json(document)
        return
    show_fields(
        [
            ("Execution", document["id"]),
            ("Agent", f"{document['agent_name']} version {document['agent_version']}"),
            ("Status", document["status"]),
            ("Attempt", f"{document['attempt']} of {document['max_attempts']}"),
            ("Created", f"{document['created_at']} by {document['created_by']}"),
            ("Instance", document["instance_id"]),
            ("Came of", _origin(document)),
            ("Diverged", f"at step {document['diverged_at']}" if document["diverged_at"] else None),
            ("Recorded", FIDELITY[timeline["fidelity"]]),
            ("Summary", summary(document)),
        ]
    )
    show_result(document)


@app.command()
def cancel(context: typer.Context, execution: Id, output: Output = Format.TABLE) -> None:
    """Cancel an execution; it ends within two seconds."""
    document = connect(context).post(f"/executions/{execution}/cancel")
    if output is Format.JSON:
        show_json(document)
    else:
        say(f"{document['id']} is {document['status']}" + ("" if document["finished_at"] else ", ending"))


@app.command()
def steps(
    context: typer.Context,
    execution: Id,
    seq: Annotated[int | None, typer.Argument(help="Show this step in full.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """List the steps of an execution, or show one with what was sent and what came back."""
    api = connect(context)
    if seq is not None:
        show_json(api.get(f"/executions/{execution}/steps/{seq}"))
        return
    show_list(
        all_steps(api, execution),
        ("STEP", "KIND", "MODEL OR TOOL", "STATUS", "FROM", "TOOLS ASKED FOR", "TOKENS", "COST", "TOOK"),
        lambda step: (
            step["seq"], step["kind"], _named(step),
            step["cause"] or step["status"], step["served_from"], ", ".join(step["tool_calls"]),
            f"{step['tokens_in']}+{step['tokens_out']}", dollars(step["cost_nano"]),
            lasted(step["started_at"], step["finished_at"]),
        ),
        output=output,
        state=lambda each: each["status"],
        empty="the agent called no model and no tool",
    )  # fmt: skip


def _named(step: dict[str, Any]) -> str:
    return f"{step['model'] or step['name']}{' (scripted)' if step['scripted'] else ''}"


def all_steps(api: Api, execution_id: str) -> list[dict[str, Any]]:
    """Every step in order; the journal is paged by sequence number."""
    found: list[dict[str, Any]] = []
    while len(found) < MOST_STEPS:
        after = found[-1]["seq"] if found else 0
        page = api.get(f"/executions/{execution_id}/steps", after_seq=after, limit=100)
        found.extend(page["items"])
        if not page["next_cursor"] or not page["items"]:
            break
    return found


def _origin(execution: dict[str, Any]) -> str | None:
    if execution["relation"] is None:
        return None
    step = f" at step {execution['parent_step']}" if execution["parent_step"] else ""
    return f"{execution['relation']} of {execution['parent_execution_id']}{step}"


def summary(execution: dict[str, Any]) -> str:
    """One line on what an execution took."""
    count = execution["steps"]
    parts = [
        f"{execution['status']} in {lasted(execution['created_at'], execution['finished_at'])}"
        if execution["finished_at"]
        else execution["status"],
        f"{count} step{'' if count == 1 else 's'}",
        f"{execution['tokens_in']}+{execution['tokens_out']} tokens",
        dollars(execution["cost_nano"]),
    ]
    # Nobody may take a script for a model.
    return ", ".join([*parts, *(["scripted model"] if execution["scripted"] else [])])


def show_result(execution: dict[str, Any]) -> None:
    """The output as it is, or the error with the last lines of the log."""
    if execution["output"] is not None:
        given = execution["output"]
        say(given) if isinstance(given, str) else show_json(given)
    if error := execution["error"]:
        say(f"{error['cause']}: {error['message']}")
        for line in error.get("last_log") or []:
            say(f"  {line}")
