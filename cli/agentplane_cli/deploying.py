"""`agentplane deploy-agent`: a wizard whose every answer has a flag."""

from __future__ import annotations

import os
import re
import shlex
import sys
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from agentplane_cli.agents import until_running
from agentplane_cli.api import Api
from agentplane_cli.bundle import default_command, pack
from agentplane_cli.connection import connect
from agentplane_cli.deploy_recipe import command_line, curl
from agentplane_cli.failure import Exit, Failure
from agentplane_cli.output import Format, Output, note, show_json
from agentplane_cli.policy import read_policy
from agentplane_cli.terminal import say, styled

DEMO_IMAGE = "agent-runtime:latest"

Name = Annotated[str | None, typer.Option(help="Unique in the organisation, as research-agent.")]
Image = Annotated[str | None, typer.Option(help=f"Image; {DEMO_IMAGE} is the demo agent.")]
Folder = Annotated[Path | None, typer.Option(help="Pack and deploy this folder instead of an image.")]
Command = Annotated[str | None, typer.Option(help="Command, as a shell would split it.")]
Variables = Annotated[
    list[str] | None,
    typer.Option("--env", "-e", metavar="NAME[=VALUE]", help="A variable; without = your own value of it."),
]
Mode = Annotated[str | None, typer.Option(help="service (stays warm) or job (one process per execution).")]
Cpu = Annotated[float | None, typer.Option(help="Cores.")]
Memory = Annotated[str | None, typer.Option(help="As 512m.")]
Replicas = Annotated[int | None, typer.Option(min=0, max=1000, help="Instances.")]
Isolation = Annotated[str | None, typer.Option(help="The least you accept: none, user or namespaces.")]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="File with the models and tools it may call.")
]
Description = Annotated[str | None, typer.Option(help="For people.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it runs.")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait.")]


def deploy_agent(
    context: typer.Context,
    name: Name = None,
    image: Image = None,
    folder: Folder = None,
    command: Command = None,
    env: Variables = None,
    mode: Mode = None,
    cpu: Cpu = None,
    memory: Memory = None,
    replicas: Replicas = None,
    isolation: Isolation = None,
    description: Description = None,
    policy: PolicyFile = None,
    wait: Wait = True,
    timeout: Timeout = 240.0,
    output: Output = Format.TABLE,
) -> None:
    """Deploy an agent; asks for what is not given."""
    api = connect(context)
    given: dict[str, Any] = {
        "name": name,
        "docker_image": image,
        "command": shlex.split(command) if command else None,
        "env_vars": read_variables(env or []),
        "mode": mode,
        "cpu_limit": cpu,
        "memory_limit": memory,
        "replicas": replicas,
        "isolation": isolation,
        "description": description,
        "policy": read_policy(policy) if policy else None,
    }
    if name is None:
        folder = _ask(given, folder)
    body = {key: value for key, value in given.items() if value not in (None, {})}
    _complete(api, body, folder)
    from_environment = {each for each in env or [] if "=" not in each}
    if output is Format.TABLE:
        say(styled("The same without questions:", "dim"))
        say("  " + command_line(body, folder, from_environment))
        say(styled("The same over the API:", "dim"))
        say(curl(api.url, body, from_environment))
        say()
    agent = api.post_once("/agents", body, str(uuid.uuid4()))
    if output is Format.TABLE:
        say(f"{agent['name']} is deployed, version {agent['version']}, id {agent['id']}")
    if wait and agent["spec"]["mode"] != "job" and agent["desired_replicas"]:
        agent = until_running(api, agent["id"], timeout)
        if output is Format.TABLE:
            say(f"{styled('✓', 'ok')} running; try `agentplane run {agent['name']} --input '…'`")
    if output is Format.JSON:
        show_json(agent)


def read_variables(given: list[str]) -> dict[str, str]:
    """Variables as name and value; a name alone takes its value from this command's own environment."""
    variables = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            if name not in os.environ:
                raise Failure(f"{name} is not set here; give --env {name}=VALUE", Exit.USAGE)
            value = os.environ[name]
        variables[name] = value
    return variables


def _complete(api: Api, body: dict[str, Any], folder: Path | None) -> None:
    """Pack and upload the folder; without one the demo agent's image is meant."""
    if folder is None:
        body.setdefault("docker_image", DEMO_IMAGE)
        return
    if "docker_image" in body:
        raise Failure("give --image or --folder, not both", Exit.USAGE)
    upload_folder(api, body, folder)


def upload_folder(api: Api, body: dict[str, Any], folder: Path) -> None:
    """Pack and upload a folder, and name it in the body with the command that starts it."""
    usual = body.get("command") or default_command(folder)
    if usual is None:
        raise Failure(f"it is not clear how {folder} is started; give --command", Exit.USAGE)
    body["command"] = usual
    packed = pack(folder)
    bundle = api.upload("/bundles", packed, "application/gzip")
    note(f"{folder}: {bundle['files']} files, {len(packed) / 1024:.0f} KB, bundle {bundle['digest'][:12]}")
    body["bundle"] = bundle["digest"]


def _agent_name(given: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", given):
        raise typer.BadParameter("at most 63 small letters, digits and dashes, as research-agent")
    return given


def _ask(given: dict[str, Any], folder: Path | None) -> Path | None:
    """Ask for whatever was not given; returns the folder, if one is deployed."""
    if not sys.stdin.isatty():
        raise Failure("nobody is here to be asked; give at least --name", Exit.USAGE)
    given["name"] = typer.prompt("Name", value_proc=_agent_name)
    if given["docker_image"] is None and folder is None:
        source = typer.prompt(f"Image or folder ({DEMO_IMAGE} is the demo agent)", default=DEMO_IMAGE)
        if Path(source).expanduser().is_dir():
            folder = Path(source).expanduser()
        else:
            given["docker_image"] = source
    if given["mode"] is None:
        given["mode"] = typer.prompt("Mode, service or job", default="service")
    if given["cpu_limit"] is None:
        given["cpu_limit"] = typer.prompt("Cores", default=1.0, type=float)
    if given["memory_limit"] is None:
        given["memory_limit"] = typer.prompt("Memory", default="512m")
    if given["replicas"] is None and given["mode"] == "service":
        given["replicas"] = typer.prompt("Instances", default=1, type=int)
    if not given["env_vars"]:
        while pair := typer.prompt("Variable NAME=VALUE (empty: no more)", default="", show_default=False):
            given["env_vars"].update(read_variables([pair]))
    return folder
