"""`agentplane executions …`: list, show, cancel, resume, steps."""

from __future__ import annotations

import json
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
    note,
    show_fields,
    show_json,
    show_list,
)
from agentplane_cli.step_detail import show_step
from agentplane_cli.terminal import say
from agentplane_cli.watching import watchable

app = typer.Typer(help="Executions: work that agents were given.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="EXECUTION", help="Id of the execution.")]
MOST_STEPS = 10_000
LONGEST_INPUT = 500
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
            ("Thread", document["thread_id"]),
            ("Input", shortened(document["input"])),
            ("Asks", shortened((document["interrupt"] or {}).get("data"))),
            ("Diverged", f"at step {document['diverged_at']}" if document["diverged_at"] else None),
            ("Recorded", FIDELITY[timeline["fidelity"]]),
            ("Summary", summary(document)),
        ]
    )
    show_result(document)
    if document["interrupt"]:
        note(f"answer it: agentplane executions resume {document['id']} VALUE")


@app.command()
def cancel(context: typer.Context, execution: Id, output: Output = Format.TABLE) -> None:
    """Cancel an execution; it ends within two seconds."""
    document = connect(context).post(f"/executions/{execution}/cancel")
    if output is Format.JSON:
        show_json(document)
    else:
        say(f"{document['id']} is {document['status']}" + ("" if document["finished_at"] else ", ending"))


@app.command()
def resume(
    context: typer.Context,
    execution: Id,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="The answer: JSON, or plain text.")],
    interrupt: Annotated[
        str | None, typer.Option(help="Id of what was asked; else that for which it waits.")
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Answer what an agent asked; it goes on with the answer."""
    api = connect(context)
    if interrupt is None:
        interrupt = (api.get(f"/executions/{execution}")["interrupt"] or {}).get("interrupt_id", "input")
    body = {"interrupt_id": interrupt, "value": json_or_text(value)}
    document = api.post(f"/executions/{execution}/resume", body)
    show_json(document) if output is Format.JSON else say(f"{document['id']} goes on")


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
        show_step(api.get(f"/executions/{execution}/steps/{seq}"), output)
        return
    show_list(
        all_steps(api, execution),
        ("STEP", "KIND", "MODEL OR TOOL", "STATUS", "FROM", "TOOLS ASKED FOR", "TOKENS", "COST", "TOOK"),
        lambda step: (
            step["seq"], step["kind"], named(step),
            step["cause"] or step["status"], step["served_from"], ", ".join(step["tool_calls"]),
            f"{step['tokens_in']}+{step['tokens_out']}", dollars(step["cost_nano"]),
            lasted(step["started_at"], step["finished_at"]),
        ),
        output=output,
        state=lambda each: each["status"],
        empty="the agent called no model and no tool",
    )  # fmt: skip


def named(step: dict[str, Any]) -> str:
    """What a step called: its model or its tool."""
    return f"{step['model'] or step['name']}{' (scripted)' if step['scripted'] else ''}"


def all_steps(api: Api, execution_id: str) -> list[dict[str, Any]]:
    """Every step in order; the journal is paged by sequence number."""
    return steps_after(api, execution_id, 0)


def steps_after(api: Api, execution_id: str, seq: int) -> list[dict[str, Any]]:
    """The steps behind one, in order."""
    found: list[dict[str, Any]] = []
    while len(found) < MOST_STEPS:
        after = found[-1]["seq"] if found else seq
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


def json_or_text(given: str) -> Any:
    """JSON where it is JSON, else the text itself."""
    try:
        return json.loads(given)
    except ValueError:
        return given.strip()


def shortened(value: Any) -> str | None:
    """A JSON value on one line, text as it is, cut where it is long; null when there is none."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_INPUT else text[:LONGEST_INPUT] + "… (-o json has all of it)"


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
    for line in error_lines(execution):
        say(line)


def error_lines(execution: dict[str, Any]) -> list[str]:
    """Why an execution did not succeed, and where its agent's last words are."""
    error = execution["error"]
    if not error:
        return []
    log = [f"  {line}" for line in error.get("last_log") or []]
    if not log and error["cause"] == "agent_error":
        own = f" --execution {execution['id']}" if execution["relation"] in {"fork", "replay"} else ""
        log = [f"  what the agent wrote: agentplane agents logs {execution['agent_name']}{own}"]
    known = {"exit code": error.get("exit_code"), "failed probe": error.get("failed_probe")}
    told = "".join(f", {name} {value}" for name, value in known.items() if value is not None)
    return [f"{error['cause']}: {error['message']}{told}", *log]
