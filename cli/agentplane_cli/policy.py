"""`agentplane policy …`: which models and tools may be called, in the organisation or by one agent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from agentplane_cli.agents import find_agent
from agentplane_cli.api import Api
from agentplane_cli.connection import connect
from agentplane_cli.failure import Exit, Failure
from agentplane_cli.output import Format, Output, show_json
from agentplane_cli.terminal import say

app = typer.Typer(help="Policies: what agents may call.", no_args_is_help=True)
Agent = Annotated[str | None, typer.Option("--agent", "-a", help="Of this agent; else the organisation's.")]
ORGANISATION = "/policies/organisation"


@app.command()
def show(context: typer.Context, agent: Agent = None, output: Output = Format.JSON) -> None:
    """Show a policy."""
    api = connect(context)
    show_json(find_agent(api, agent)["spec"]["policy"] if agent else api.get(ORGANISATION)["policy"])


@app.command("set")
def set_policy(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSON or YAML; - reads standard input.")],
    agent: Agent = None,
) -> None:
    """Replace a policy; an agent's is part of its version, so its instances are replaced."""
    api, document = connect(context), read_policy(file)
    if agent is None:
        _replace(api, document)
        say("the organisation's policy is set; it counts within a second")
        return
    found = find_agent(api, agent)
    changed = api.patch(f"/agents/{found['id']}", {"policy": document}, if_match=f'"{found["revision"]}"')
    say(f"{changed['name']} has the policy from version {changed['version']} on")


@app.command()
def delete(context: typer.Context, agent: Agent = None) -> None:
    """Remove a policy: then only the other one counts."""
    api = connect(context)
    if agent is None:
        api.delete(ORGANISATION)
        say("the organisation has no policy any more")
        return
    found = find_agent(api, agent)
    api.patch(f"/agents/{found['id']}", {"policy": None}, if_match=f'"{found["revision"]}"')
    say(f"{found['name']} has no policy of its own any more")


def _replace(api: Api, document: dict[str, Any]) -> None:
    try:
        before = api.get(ORGANISATION)
    except Failure as problem:
        if problem.code != Exit.NOT_FOUND:
            raise
        api.put(ORGANISATION, document)
        return
    api.put(ORGANISATION, document, if_match=f'"{before["revision"]}"')


def read_policy(file: Path) -> dict[str, Any]:
    """The document of a file; YAML, of which JSON is a part."""
    import yaml

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        document = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Failure(f"{file} cannot be read: {error}", Exit.USAGE) from error
    if not isinstance(document, dict):
        raise Failure(f"{file} holds no policy: it must be an object, as models: [gpt-5*]", Exit.USAGE)
    return document
