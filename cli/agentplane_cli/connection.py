"""Which AgentPlane the remote commands speak to, and as whom."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from agentplane_cli.api import Api
from agentplane_cli.checkout import find_checkout
from agentplane_cli.config_file import ConfigFile
from agentplane_cli.failure import Failure

BACKEND_PORT = 8000


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"agentplane {version('agentplane-cli')}")
        raise typer.Exit


def remote(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(envvar="AGENTPLANE_URL", help="Address of the API.")] = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar=["AGENTPLANE_API_KEY", "AGENTPLANE_TOKEN"], help="API key or access token."),
    ] = None,
    named: Annotated[
        str | None, typer.Option("--context", envvar="AGENTPLANE_CONTEXT", help="Name of an address.")
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and end."),
    ] = False,
) -> None:
    """Run autonomous agents the way Kubernetes runs containers."""
    if named is not None:
        url = ConfigFile().read().address_of(named)
    context.obj = (url, api_key)


def connect(context: typer.Context) -> Api:
    """The API as the options, the environment or the last login name it."""
    url, api_key = context.obj or (None, None)
    config = ConfigFile()
    return Api((url or config.read().url or local_url()).rstrip("/"), api_key, config)


def local_url() -> str:
    """Where a platform on this machine listens: port 8000, shifted as its `.env` says."""
    base = os.environ.get("AGENTPLANE_PORT_BASE") or _port_base_of_checkout()
    return f"http://127.0.0.1:{BACKEND_PORT + int(base)}"


def _port_base_of_checkout() -> str:
    try:
        lines = (find_checkout() / ".env").read_text(encoding="utf-8").splitlines()
    except (Failure, OSError):
        return "0"
    found = [line.partition("=")[2].strip() for line in lines if line.startswith("AGENTPLANE_PORT_BASE=")]
    return found[-1] if found and found[-1].isdigit() else "0"
