"""`agentplane approvals …`: tool calls that wait for a person."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from agentplane_cli.agents import find_agent
from agentplane_cli.connection import connect
from agentplane_cli.output import Format, Output, age, show_fields, show_json, show_list
from agentplane_cli.terminal import say

app = typer.Typer(help="Approvals: tool calls that wait for a person.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="APPROVAL", help="Id of the approval.")]
Comment = Annotated[str | None, typer.Option("--comment", "-m", help="Why; the agent is told.")]


@app.command("list")
def list_approvals(
    context: typer.Context,
    state: Annotated[
        str, typer.Option(help="pending, approved, rejected, expired or cancelled.")
    ] = "pending",
    everything: Annotated[bool, typer.Option("--all", help="Of every state.")] = False,
    agent: Annotated[str | None, typer.Option("--agent", help="Of this agent (name or id).")] = None,
    execution: Annotated[str | None, typer.Option("--execution", help="Of this execution.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    output: Output = Format.TABLE,
) -> None:
    """The inbox: calls that wait, newest first."""
    api = connect(context)
    agent_id = str(find_agent(api, agent)["id"]) if agent else None
    wanted = None if everything else state
    show_list(
        api.pages("/approvals", limit, state=wanted, agent_id=agent_id, execution_id=execution),
        ("ID", "AGENT", "TOOL", "EFFECT", "STATE", "AGE", "EXPIRES", "ARGUMENTS"),
        lambda each: (
            each["id"], each["agent_name"], f"{each['server']}/{each['tool']}", each["effect"], each["state"],
            age(each["created_at"]), each["expires_at"], _short(each["arguments"]),
        ),
        output=output,
        empty="nothing waits for you",
    )  # fmt: skip


@app.command()
def show(context: typer.Context, approval: Id, output: Output = Format.TABLE) -> None:
    """Show a held call with its arguments."""
    found = connect(context).get(f"/approvals/{approval}")
    if output is Format.JSON:
        show_json(found)
        return
    names = ("id", "state", "agent_name", "execution_id", "effect", "reason", "created_at", "expires_at")
    more = ("decided_at", "decided_by", "comment")
    fields = [(name.replace("_", " "), found[name]) for name in (*names, *more)]
    show_fields([("tool", f"{found['server']}/{found['tool']}"), *fields])
    say(json.dumps(found["arguments"], indent=2, ensure_ascii=False))


@app.command()
def approve(context: typer.Context, approval: Id, comment: Comment = None) -> None:
    """Let the call go on."""
    _decide(context, approval, True, comment)


@app.command()
def reject(context: typer.Context, approval: Id, comment: Comment = None) -> None:
    """Tell the agent that it may not."""
    _decide(context, approval, False, comment)


def _decide(context: typer.Context, approval: str, approve: bool, comment: str | None) -> None:
    body = {"approve": approve, "comment": comment}
    found = connect(context).post(f"/approvals/{approval}/decision", body)
    say(f"{found['server']}/{found['tool']} of {found['agent_name']} is {found['state']}")


def _short(arguments: Any) -> str:
    text = json.dumps(arguments, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
