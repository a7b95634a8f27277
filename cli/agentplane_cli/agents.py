"""`agentplane agents …`: what runs, and changing it."""

from __future__ import annotations

import time
import uuid
from typing import Annotated, Any

import typer

from agentplane_cli import completion
from agentplane_cli.api import Api
from agentplane_cli.connection import connect
from agentplane_cli.failure import Exit
from agentplane_cli.output import Format, Output, age, memory, show_fields, show_json, show_list
from agentplane_cli.problem import Explained
from agentplane_cli.terminal import confirm_by_typing, say
from agentplane_cli.watching import watchable

app = typer.Typer(help="Agents: what is deployed, and how it stands.", no_args_is_help=True)
AgentRef = Annotated[
    str, typer.Argument(metavar="AGENT", help="Name or id of the agent.", autocompletion=completion.agents)
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
BAD_ENDS = frozenset({"crash_loop", "unschedulable"})
POLL_SECONDS = 0.3


@app.command("list")
@watchable
def list_agents(
    context: typer.Context,
    name: Annotated[str | None, typer.Option(help="Only names with this in them.")] = None,
    state: Annotated[str | None, typer.Option(help="Only in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 50,
    output: Output = Format.TABLE,
) -> None:
    """List agents, newest first."""
    show_list(
        connect(context).pages("/agents", limit, name=name, state=state),
        ("NAME", "STATE", "READY", "VERSION", "RUNS", "AGE", "ID"),
        lambda agent: (
            agent["name"], agent["status"]["state"],
            f"{agent['status']['ready_replicas']}/{agent['desired_replicas']}",
            agent["version"], what_runs(agent["spec"]), age(agent["created_at"]), agent["id"],
        ),
        output=output,
        state=lambda agent: agent["status"]["state"],
        empty="no agents yet; `agentplane deploy-agent` makes one",
    )  # fmt: skip


@app.command()
@watchable
def show(context: typer.Context, agent: AgentRef, output: Output = Format.TABLE) -> None:
    """Show an agent: what is wanted of it and how it stands."""
    found = find_agent(connect(context), agent)
    if output is Format.JSON:
        show_json(found)
        return
    spec, status = found["spec"], found["status"]
    show_fields(
        [
            ("Agent", found["name"]),
            ("Id", found["id"]),
            ("Description", found["description"]),
            ("State", f"{status['state']}{': ' + status['reason'] if status['reason'] else ''}"),
            ("Ready", f"{status['ready_replicas']} of {found['desired_replicas']}"),
            ("Version", found["version"]),
            ("Runs", what_runs(spec)),
            ("Command", " ".join(spec["command"] or [])),
            ("Mode", spec["mode"]),
            ("Limits", f"{spec['cpu_limit']:g} cores, {memory(spec['memory_limit_bytes'])}"),
            ("Variables", ", ".join(f"{key}={value}" for key, value in sorted(spec["env_vars"].items()))),
            ("In the vault", ", ".join(sorted(spec["provider_keys"]))),
            ("Created", f"{found['created_at']} by {found['created_by']}"),
        ]
    )


@app.command()
def start(context: typer.Context, agent: AgentRef, output: Output = Format.TABLE) -> None:
    """Start an agent."""
    _change(context, agent, "start", output)


@app.command()
def stop(context: typer.Context, agent: AgentRef, output: Output = Format.TABLE) -> None:
    """Stop an agent; it finishes what it is doing."""
    _change(context, agent, "stop", output)


@app.command()
def restart(context: typer.Context, agent: AgentRef, output: Output = Format.TABLE) -> None:
    """Replace every instance by a fresh one."""
    _change(context, agent, "restart", output)


@app.command()
def scale(
    context: typer.Context,
    agent: AgentRef,
    replicas: Annotated[int, typer.Argument(min=0, max=1000)],
    output: Output = Format.TABLE,
) -> None:
    """Run another number of instances."""
    _change(context, agent, "scale", output, {"replicas": replicas})


@app.command()
def rollback(
    context: typer.Context,
    agent: AgentRef,
    version: Annotated[int, typer.Argument(min=1)],
    output: Output = Format.TABLE,
) -> None:
    """Run an earlier version again."""
    _change(context, agent, "rollback", output, {"version": version})


@app.command()
def delete(context: typer.Context, agent: AgentRef, yes: Yes = False) -> None:
    """Delete an agent; its executions stay readable."""
    api = connect(context)
    found = find_agent(api, agent)
    if not yes:
        confirm_by_typing(found["name"], f"This deletes the agent {found['name']}.")
    api.delete(f"/agents/{found['id']}")
    say(f"{found['name']} is deleted")


@app.command()
def versions(
    context: typer.Context,
    agent: AgentRef,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    output: Output = Format.TABLE,
) -> None:
    """List the versions of an agent, newest first."""
    api = connect(context)
    show_list(
        api.pages(f"/agents/{find_agent(api, agent)['id']}/versions", limit),
        ("VERSION", "RUNS", "NOTE", "BY", "AGE"),
        lambda each: (
            each["version"], what_runs(each["spec"]), each["note"], each["created_by"],
            age(each["created_at"]),
        ),
        output=output,
    )  # fmt: skip


@app.command()
@watchable
def instances(context: typer.Context, agent: AgentRef, output: Output = Format.TABLE) -> None:
    """List the instances of an agent, with how they last ended."""
    api = connect(context)
    show_list(
        api.get(f"/agents/{find_agent(api, agent)['id']}/instances"),
        ("ID", "STATE", "READY", "PID", "ISOLATION", "RESTARTS", "LAST EXIT", "AGE"),
        lambda each: (
            each["id"], each["state"], each["ready"], each["pid"], each["isolation"], each["restart_count"],
            _exit(each["last_exit"]), age(each["started_at"] or each["created_at"]),
        ),
        output=output,
        empty="no instances",
    )  # fmt: skip


@app.command()
def logs(
    context: typer.Context,
    agent: AgentRef,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay and show new lines.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, max=1000)] = 100,
    execution: Annotated[str | None, typer.Option(help="Only of this execution.")] = None,
    instance: Annotated[str | None, typer.Option(help="Only of this instance.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Show the last lines of an agent's log."""
    api = connect(context)
    path = f"/agents/{find_agent(api, agent)['id']}/logs"
    which: dict[str, Any] = {"limit": lines, "execution_id": execution, "instance_id": instance}
    if follow:
        for _, line in api.events(path, follow="true", **which):
            show_json(line) if output is Format.JSON else say(_log_line(line))
        return
    page = api.get(path, **which)
    if output is Format.JSON:
        show_json(page["items"])
        return
    for line in page["items"]:
        say(_log_line(line))


def find_agent(api: Api, reference: str) -> dict[str, Any]:
    """The agent of that id or name."""
    try:
        found: dict[str, Any] = api.get(f"/agents/{uuid.UUID(reference)}")
        return found
    except ValueError:
        pass
    # The API finds parts of names; the whole name is among the answers, however many there are.
    named = [agent for agent in api.pages("/agents", 100_000, name=reference) if agent["name"] == reference]
    if not named:
        raise Explained(f"there is no agent {reference}", Exit.NOT_FOUND, hint="agentplane agents list")
    return named[0]


def until_running(api: Api, agent_id: str, seconds: float) -> dict[str, Any]:
    """Wait until the agent runs; fail with the reason when it cannot."""
    deadline = time.monotonic() + seconds
    while True:
        agent: dict[str, Any] = api.get(f"/agents/{agent_id}")
        status = agent["status"]
        if status["state"] == "running":
            return agent
        hint = f"agentplane agents logs {agent['name']}"
        if status["state"] in BAD_ENDS:
            message = f"{agent['name']} does not run: {status['state']}"
            raise Explained(message, Exit.FAILED, cause=status["reason"] or "no reason was given", hint=hint)
        if time.monotonic() > deadline:
            message = f"{agent['name']} is still {status['state']} after {seconds:.0f} s"
            raise Explained(message, Exit.TIMEOUT, cause=status["reason"] or "", hint=hint)
        time.sleep(POLL_SECONDS)


def what_runs(spec: dict[str, Any]) -> str:
    """The image or the bundle of a spec, for a column."""
    return str(spec["docker_image"] or f"bundle {str(spec['bundle'])[:12]}")


def _change(
    context: typer.Context, reference: str, verb: str, output: Format, body: dict[str, Any] | None = None
) -> None:
    api = connect(context)
    agent = api.post(f"/agents/{find_agent(api, reference)['id']}/{verb}", body)
    if output is Format.JSON:
        show_json(agent)
        return
    wanted = f"{agent['desired_replicas']} wanted" if agent["desired_state"] == "running" else "stop wanted"
    say(f"{agent['name']} version {agent['version']}: {wanted}, {agent['status']['ready_replicas']} ready")


def _exit(ended: dict[str, Any] | None) -> str:
    if not ended:
        return ""
    how = f"signal {ended['signal']}" if ended["signal"] else f"code {ended['code']}"
    return f"{ended['cause']} ({how})" if ended["cause"] else how


def _log_line(line: dict[str, Any]) -> str:
    return f"{line['at']}  {line['stream']:<6}  {line['line']}"
