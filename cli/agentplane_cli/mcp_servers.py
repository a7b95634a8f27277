"""`agentplane mcp-servers …`: the tools that agents reach through the gateway."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from agentplane_cli.agents import find_agent
from agentplane_cli.api import Api
from agentplane_cli.connection import connect
from agentplane_cli.failure import Exit
from agentplane_cli.output import Format, Output, age, show_fields, show_json, show_list
from agentplane_cli.problem import Explained
from agentplane_cli.terminal import confirm_by_typing, say

app = typer.Typer(help="MCP servers: the tools that agents may use.", no_args_is_help=True)
Server = Annotated[str, typer.Argument(metavar="SERVER", help="Name or id of the server.")]
Effects = Annotated[
    list[str] | None,
    typer.Option("--effect", "-e", help="TOOL=read|write|irreversible; may be given again."),
]
Agents = Annotated[
    list[str] | None, typer.Option("--agent", "-a", help="Who may use it; may be given again; none: all.")
]
Token = Annotated[
    bool,
    typer.Option(
        "--authorization-stdin", help="Read the value of the Authorization header from standard input."
    ),
]


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Its name: lower-case letters, digits, hyphens.")],
    url: Annotated[str, typer.Argument(help="Its endpoint, streamable HTTP.")],
    effect: Effects = None,
    agent: Agents = None,
    authorization_stdin: Token = False,
    output: Output = Format.TABLE,
) -> None:
    """Register a server; its credentials go to the vault."""
    api = connect(context)
    body: dict[str, Any] = {"name": name, "url": url, "effects": _effects(effect)}
    if agent:
        body["agents"] = [str(find_agent(api, each)["id"]) for each in agent]
    if authorization_stdin:
        body["authorization"] = sys.stdin.readline().strip()
    made = api.post("/mcp-servers", body)
    if output is Format.JSON:
        show_json(made)
    else:
        say(f"{made['name']} is registered; agents reach it at $AGENTPLANE_MCP_URL/{made['name']}")


@app.command("list")
def list_servers(context: typer.Context, output: Output = Format.TABLE) -> None:
    """List servers by name."""
    show_list(
        connect(context).get("/mcp-servers"),
        ("NAME", "URL", "SPEAKS", "AGENTS", "AGE", "ID"),
        lambda each: (
            each["name"], each["url"], each["protocol"] or "not asked yet",
            "all" if each["agents"] is None else str(len(each["agents"])), age(each["created_at"]),
            each["id"],
        ),
        output=output,
        empty="no MCP servers yet; `agentplane mcp-servers add NAME URL` registers one",
    )  # fmt: skip


@app.command()
def show(context: typer.Context, server: Server, output: Output = Format.TABLE) -> None:
    """Show one server."""
    found = _find(connect(context), server)
    if output is Format.JSON:
        show_json(found)
        return
    overrides = ", ".join(f"{tool}={effect}" for tool, effect in found["effects"].items())
    show_fields(
        [
            ("id", found["id"]),
            ("name", found["name"]),
            ("url", found["url"]),
            ("credentials", "in the vault" if found["has_authorization"] else "none"),
            ("effects", overrides),
            ("agents", "all" if found["agents"] is None else ", ".join(found["agents"])),
            ("protocol", found["protocol"]),
            ("created", found["created_at"]),
        ]
    )


@app.command()
def tools(context: typer.Context, server: Server, output: Output = Format.TABLE) -> None:
    """List what a server offers now, and what each tool does to the world."""
    api = connect(context)
    show_list(
        api.get(f"/mcp-servers/{_find(api, server)['id']}/tools"),
        ("TOOL", "EFFECT", "SAYS WHO", "REPEATABLE", "DESCRIPTION"),
        lambda each: (
            each["name"], each["effect"], each["effect_from"], "yes" if each["idempotent"] else "no",
            " ".join((each["description"] or "").split())[:60],
        ),
        output=output,
        empty="the server offers no tools",
    )  # fmt: skip


@app.command()
def update(
    context: typer.Context,
    server: Server,
    url: Annotated[str | None, typer.Option("--url")] = None,
    effect: Effects = None,
    agent: Agents = None,
    all_agents: Annotated[bool, typer.Option("--all-agents", help="Let every agent use it.")] = False,
    authorization_stdin: Token = False,
) -> None:
    """Change a server; what is not given stays. The effects given replace all that were."""
    api = connect(context)
    found = _find(api, server)
    body: dict[str, Any] = {}
    if url is not None:
        body["url"] = url
    if effect is not None:
        body["effects"] = _effects(effect)
    if agent or all_agents:
        body["agents"] = [str(find_agent(api, each)["id"]) for each in agent] if agent else None
    if authorization_stdin:
        body["authorization"] = sys.stdin.readline().strip()
    changed = api.patch(f"/mcp-servers/{found['id']}", body)
    say(f"{changed['name']} is changed")


@app.command()
def delete(
    context: typer.Context,
    server: Server,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Take a server and its tools away from all agents."""
    api = connect(context)
    found = _find(api, server)
    if not yes:
        confirm_by_typing(found["name"], f"This takes the tools of {found['name']} from all agents.")
    api.delete(f"/mcp-servers/{found['id']}")
    say(f"{found['name']} is deleted")


def _find(api: Api, named: str) -> dict[str, Any]:
    for server in api.get("/mcp-servers"):
        if named in (server["name"], server["id"]):
            found: dict[str, Any] = server
            return found
    raise Explained(
        f"there is no MCP server {named}", Exit.NOT_FOUND, hint="agentplane mcp-servers list shows them"
    )


def _effects(given: list[str] | None) -> dict[str, str]:
    found = {}
    for each in given or ():
        tool, equals, effect = each.rpartition("=")
        if not equals or effect not in ("read", "write", "irreversible"):
            raise Explained(f"{each} is not TOOL=read|write|irreversible", Exit.USAGE)
        found[tool] = effect
    return found
