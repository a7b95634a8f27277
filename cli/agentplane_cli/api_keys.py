"""`agentplane api-keys …`: keys for programs."""

from __future__ import annotations

from typing import Annotated

import typer

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
    expires_in_days: Days = 90,
    output: Output = Format.TABLE,
) -> None:
    """Make a key; it is shown this once."""
    body = {"name": name, "scopes": scope, "expires_in_days": expires_in_days or None}
    made = connect(context).post("/api-keys", body)
    if output is Format.JSON:
        show_json(made)
        return
    # Alone on standard output, so that a script can take it.
    say(made["key"])
    note(f"{made['name']}, {', '.join(made['scopes'])}; keep it now, it is not shown again")


@app.command("list")
def list_keys(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    output: Output = Format.TABLE,
) -> None:
    """List keys without their secrets, newest first."""
    show_list(
        connect(context).pages("/api-keys", limit),
        ("NAME", "KEY", "SCOPES", "EXPIRES", "LAST USED", "REVOKED", "ID"),
        lambda key: (
            key["name"], f"{key['prefix']}…", ", ".join(key["scopes"]), key["expires_at"] or "never",
            age(key["last_used_at"]), key["revoked_at"], key["id"],
        ),
        output=output,
        empty="no keys yet; `agentplane api-keys create NAME --scope agents:read` makes one",
    )  # fmt: skip


@app.command()
def revoke(context: typer.Context, key_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Make a key worthless."""
    connect(context).delete(f"/api-keys/{key_id}")
    say(f"{key_id} is revoked")
