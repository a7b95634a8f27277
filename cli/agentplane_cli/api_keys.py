"""`agentplane api-keys …`: keys for programs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agentplane_cli.agents import find_agent
from agentplane_cli.connection import connect
from agentplane_cli.output import Format, Output, age, note, show_json, show_list
from agentplane_cli.terminal import say

app = typer.Typer(help="API keys: bearer tokens for programs.", no_args_is_help=True)
Scopes = Annotated[
    list[str], typer.Option("--scope", "-s", help="A permission, as agents:read; may be given again.")
]
Days = Annotated[int, typer.Option("--expires-in-days", min=0, max=3650, help="0: it never expires.")]


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Scopes,
    agent: Annotated[
        list[str] | None,
        typer.Option("--agent", help="Confine it to this agent, by name or id; may be given again."),
    ] = None,
    service_account: Annotated[
        str | None, typer.Option(metavar="ID", help="The account it stands for; you, by default.")
    ] = None,
    expires_in_days: Days = 90,
    output: Output = Format.TABLE,
) -> None:
    """Make a key; it is shown this once."""
    api = connect(context)
    confined = [f"agents:{find_agent(api, each)['id']}" for each in agent or ()]
    body = {
        "name": name,
        "scopes": [*scope, *confined],
        "expires_in_days": expires_in_days or None,
        "service_account_id": service_account,
    }
    _show_key(api.post("/api-keys", body), output)


@app.command()
def rotate(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(metavar="ID")],
    overlap: Annotated[int, typer.Option(min=0, max=2_592_000, help="Seconds both keys work.")] = 3600,
    output: Output = Format.TABLE,
) -> None:
    """Make a key that takes another's place; it is shown this once."""
    _show_key(connect(context).post(f"/api-keys/{key_id}/rotate", {"overlap_seconds": overlap}), output)


@app.command("list")
def list_keys(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    output: Output = Format.TABLE,
) -> None:
    """List keys without their secrets, newest first."""
    show_list(
        connect(context).pages("/api-keys", limit),
        ("NAME", "KEY", "SCOPES", "AGENTS", "EXPIRES", "LAST USED", "REVOKED", "ID"),
        lambda key: (
            key["name"], f"{key['prefix']}…", ", ".join(key["scopes"]),
            ", ".join(key["agents"] or ()), key["expires_at"] or "never", age(key["last_used_at"]),
            key["revoked_at"], key["id"],
        ),
        output=output,
        empty="no keys yet; `agentplane api-keys create NAME --scope agents:read` makes one",
    )  # fmt: skip


@app.command()
def revoke(context: typer.Context, key_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Make a key worthless."""
    connect(context).delete(f"/api-keys/{key_id}")
    say(f"{key_id} is revoked")


def _show_key(made: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        show_json(made)
        return
    # Alone on standard output, so that a script can take it.
    say(made["key"])
    note(f"{made['name']}, {', '.join(made['scopes'])}; keep it now, it is not shown again")
