"""`agentplane run`: give an agent work and wait for the result."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from agentplane_cli.agents import AgentRef, find_agent
from agentplane_cli.amounts import nano
from agentplane_cli.api import Api
from agentplane_cli.connection import connect
from agentplane_cli.executions import json_or_text, show_result, summary
from agentplane_cli.failure import Exit, Failure
from agentplane_cli.following import Follower
from agentplane_cli.output import Format, Output, note, show_json
from agentplane_cli.problem import Explained
from agentplane_cli.terminal import say, styled

ENDED = frozenset({"succeeded", "failed", "cancelled", "expired"})
LONGEST_WAIT = 50.0

Input = Annotated[
    str | None,
    typer.Option("--input", "-i", metavar="JSON|@FILE|-", help="Input; plain text is taken as such."),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Show what happens while it happens.")]
Thread = Annotated[str | None, typer.Option(help="Thread; of its executions one runs at a time.")]
OnBusy = Annotated[
    str | None,
    typer.Option(metavar="POLICY", help="When the thread is at work: enqueue, reject, interrupt, rollback."),
]
Key = Annotated[str | None, typer.Option(help="Of executions with the same key one runs at a time.")]
Priority = Annotated[int | None, typer.Option(min=-10, max=10, help="Higher goes first.")]
Timeout = Annotated[int | None, typer.Option(min=1, max=86_400, help="Seconds the execution may take.")]
Cost = Annotated[str | None, typer.Option(help="Dollars it may cost, as 0.50; children included.")]
Tokens = Annotated[int | None, typer.Option(min=0, help="Tokens it may use.")]
Steps = Annotated[int | None, typer.Option(min=0, help="Calls it may make across its boundary.")]
ToolCalls = Annotated[int | None, typer.Option(min=0, help="Tools it may call.")]
Detach = Annotated[bool, typer.Option("--no-wait", help="Only queue it, and print its id.")]


def run(
    context: typer.Context,
    agent: AgentRef,
    given: Input = None,
    follow: Follow = False,
    thread: Thread = None,
    on_busy: OnBusy = None,
    concurrency_key: Key = None,
    priority: Priority = None,
    timeout: Timeout = None,
    cost: Cost = None,
    tokens: Tokens = None,
    steps: Steps = None,
    tool_calls: ToolCalls = None,
    no_wait: Detach = False,
    output: Output = Format.TABLE,
) -> None:
    """Run an agent, wait, and print its output."""
    api = connect(context)
    asked = {
        "thread_id": thread,
        "on_busy": on_busy,
        "concurrency_key": concurrency_key,
        "priority": priority,
        "timeout_seconds": timeout,
        "limits": limits_of(cost, tokens, steps, tool_calls),
    }
    body = {"input": read_input(given), **{name: value for name, value in asked.items() if value is not None}}
    found = find_agent(api, agent)
    execution = api.post_once(f"/agents/{found['id']}/executions", body, str(uuid.uuid4()))
    if no_wait:
        show_json(execution) if output is Format.JSON else say(execution["id"])
        return
    try:
        ended = _followed(api, execution["id"]) if follow else waited(api, execution["id"])
    except KeyboardInterrupt:
        note(f"it goes on; `agentplane executions cancel {execution['id']}` ends it")
        sys.exit(Exit.INTERRUPTED)
    if output is Format.JSON:
        show_json(ended)
    else:
        show_result(ended)
        say(styled(f"{ended['id']}: {summary(ended)}", "dim"))
    _end_like(ended)


def limits_of(
    cost: str | None, tokens: int | None, steps: int | None, tool_calls: int | None
) -> dict[str, int] | None:
    """The limits that were given; null without any."""
    given = {
        "cost_nano": None if cost is None else nano(cost),
        "tokens": tokens,
        "steps": steps,
        "tool_calls": tool_calls,
    }
    return {name: value for name, value in given.items() if value is not None} or None


def read_input(given: str | None) -> Any:
    """The input: JSON where it is JSON, else the text itself; from a file or standard input if so named."""
    if given is None:
        return None
    if given == "-":
        text = sys.stdin.read()
    elif given.startswith("@"):
        try:
            text = Path(given[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f"{given[1:]} cannot be read: {error}", Exit.USAGE) from error
    else:
        text = given
    return json_or_text(text)


def waited(api: Api, execution_id: str, also: frozenset[str] = frozenset()) -> Any:
    """The execution once it has ended, or is in another status in which there is nothing to wait for."""
    seconds = 2.0 if also else LONGEST_WAIT
    while True:
        path = f"/executions/{execution_id}/wait"
        execution = api.get(path, timeout=seconds + 15, timeout_seconds=seconds)
        if execution["status"] in ENDED | also:
            return execution


def _followed(api: Api, execution_id: str) -> Any:
    Follower(api, execution_id).follow()
    return waited(api, execution_id)


def _end_like(execution: dict[str, Any]) -> None:
    if execution["status"] == "succeeded":
        return
    cause = str(execution["cause"] or "no cause was given")
    code = Exit.TIMEOUT if execution["status"] == "expired" else Exit.FAILED
    raise Explained(
        f"the execution {execution['status']}",
        code,
        cause=cause,
        hint=f"agentplane executions steps {execution['id']}",
    )
