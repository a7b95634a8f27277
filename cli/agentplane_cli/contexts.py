"""`agentplane contexts …`: names for the AgentPlanes you work with."""

from __future__ import annotations

from typing import Annotated

import typer

from agentplane_cli.config_file import ConfigFile
from agentplane_cli.failure import Exit, Failure
from agentplane_cli.output import Format, Output, show_list
from agentplane_cli.terminal import say

app = typer.Typer(help="Contexts: names for the AgentPlanes you work with.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the context.")]


@app.command("list")
def list_contexts(output: Output = Format.TABLE) -> None:
    """List the contexts; the one in use is marked."""
    config = ConfigFile().read()
    items = [
        {"name": name, "url": url, "in_use": url == config.url, "logged_in": url in config.sessions}
        for name, url in sorted(config.contexts.items())
    ]
    show_list(
        items,
        ("NAME", "ADDRESS", "IN USE", "LOGGED IN"),
        lambda each: (each["name"], each["url"], each["in_use"], each["logged_in"]),
        output=output,
        empty="no contexts yet; `agentplane contexts add NAME URL` makes one",
    )


@app.command()
def add(name: Name, url: Annotated[str, typer.Argument(help="Address of the API.")]) -> None:
    """Give an address a name, and use it from now on."""
    address = url.rstrip("/")
    if not address.startswith(("http://", "https://")):
        raise Failure(f"an address begins with http:// or https://, unlike {url}", Exit.USAGE)
    with ConfigFile().changed() as config:
        config.contexts[name] = address
        config.url = address
    say(f"{name} is {address}, and in use.")


@app.command()
def use(name: Name) -> None:
    """Work with this context from now on."""
    with ConfigFile().changed() as config:
        config.url = config.address_of(name)
    say(f"{name} ({config.url}) is in use.")


@app.command()
def remove(name: Name) -> None:
    """Forget a context and its session."""
    with ConfigFile().changed() as config:
        address = config.address_of(name)
        del config.contexts[name]
        if address not in config.contexts.values():
            config.sessions.pop(address, None)
            config.url = None if config.url == address else config.url
    say(f"{name} is forgotten.")
