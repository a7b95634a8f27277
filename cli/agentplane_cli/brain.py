"""`agentplane brain`: what the control brain sees, decided, and why."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agentplane_cli.connection import connect
from agentplane_cli.output import Format, Output, age, memory, show_fields, show_json, show_list
from agentplane_cli.terminal import say, styled


def brain(
    context: typer.Context,
    decisions: Annotated[int, typer.Option("--decisions", "-n", min=0, help="How many decisions.")] = 15,
    output: Output = Format.TABLE,
) -> None:
    """Show the control brain: nodes, agents, and its decisions with their reasons."""
    state = connect(context).get("/brain/state")
    if output is Format.JSON:
        show_json(state)
        return
    tick = state["last_tick"]
    show_fields(
        [
            ("Leader", f"{state['leader'] or 'nobody'}, epoch {state['epoch']}"),
            ("Looks every", f"{state['interval_seconds']:g} s"),
            ("Last look", _tick(tick) if tick else "none yet"),
        ]
    )
    _heading("Nodes")
    show_list(
        state["nodes"],
        ("NAME", "STATE", "REGION", "INSTANCES", "CORES", "MEMORY", "ISOLATION", "CORDONED"),
        _node,
        empty="no node has registered",
    )
    _heading("Agents")
    show_list(
        state["agents"],
        ("NAME", "STATE", "READY", "WHY"),
        lambda agent: (
            agent["name"], agent["state"], f"{agent['ready_replicas']}/{agent['desired_replicas']}",
            agent["reason"],
        ),
        empty="no agents",
    )  # fmt: skip
    _heading("Decisions")
    names = {agent["agent_id"]: agent["name"] for agent in state["agents"]}
    show_list(
        state["decisions"][:decisions],
        ("AGE", "DECISION", "AGENT", "WHY"),
        lambda each: (age(each["at"]), each["kind"], names.get(each["agent_id"], ""), each["reason"]),
        empty="none yet",
    )


def services(context: typer.Context, output: Output = Format.TABLE) -> None:
    """List all parts of the platform and their health."""
    answer = connect(context).get("/services")
    if output is Format.JSON:
        show_json(answer)
        return
    show_list(
        answer["services"],
        ("NAME", "PORT", "STATE", "PROCESS", "REPLICAS", "LAST SEEN", "NOTE"),
        lambda each: (
            each["name"], each["port"], each["state"], each["process"], each["replicas"] or "",
            age(each["last_heartbeat_at"]), each["reason"],
        ),
    )  # fmt: skip


def _tick(tick: dict[str, Any]) -> str:
    said = (
        f"{age(tick['at'])} ago, {tick['took_ms']:.1f} ms, {tick['agents']} agents, {tick['drifted']} drifted"
    )
    return f"{said}, {tick['commands']} orders" + (f"; {tick['error']}" if tick["error"] else "")


def _node(node: dict[str, Any]) -> tuple[Any, ...]:
    cores = f"{node['allocated_millicores'] / 1000:g}/{node['capacity_millicores'] / 1000:g}"
    used = f"{memory(node['allocated_bytes'])}/{memory(node['capacity_bytes'])}"
    levels = [level for level, said in node["isolation"].items() if said == "available"]
    return (
        node["name"], node["state"], node["region"], node["instances"], cores, used,
        ", ".join(levels), node["cordoned"],
    )  # fmt: skip


def _heading(text: str) -> None:
    say()
    say(styled(text, "bold"))
