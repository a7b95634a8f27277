"""`agentplane service-accounts …`: who stands behind the API keys of programs."""

from __future__ import annotations

from typing import Annotated

import typer

from agentplane_cli.connection import connect
from agentplane_cli.members import Role
from agentplane_cli.output import Format, Output, age, note, show_json, show_list
from agentplane_cli.terminal import confirm_by_typing, say

app = typer.Typer(help="Service accounts: accounts that nobody logs in to.", no_args_is_help=True)


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    role: Annotated[Role, typer.Option(help="What its keys may do at most.")],
    description: Annotated[str, typer.Option("--description", "-d")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Make a service account, without a key yet."""
    body = {"name": name, "role": role.value, "description": description}
    made = connect(context).post("/service-accounts", body)
    if output is Format.JSON:
        show_json(made)
        return
    say(made["id"])
    note(f"`agentplane api-keys create NAME --service-account {made['id']} --scope …` makes a key for it")


@app.command("list")
def list_accounts(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    output: Output = Format.TABLE,
) -> None:
    """List service accounts, newest first."""
    show_list(
        connect(context).pages("/service-accounts", limit),
        ("NAME", "ROLE", "DESCRIPTION", "AGE", "DISABLED", "ID"),
        lambda each: (
            each["name"], each["role"], each["description"], age(each["created_at"]), each["disabled_at"],
            each["id"],
        ),
        output=output,
        empty="no service accounts yet; `agentplane service-accounts create NAME --role developer` makes one",
    )  # fmt: skip


@app.command()
def disable(
    context: typer.Context,
    account_id: Annotated[str, typer.Argument(metavar="ID")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Make a service account and all its keys worthless, for good."""
    if not yes:
        confirm_by_typing("disable", f"This makes every key of {account_id} worthless.")
    connect(context).delete(f"/service-accounts/{account_id}")
    say(f"{account_id} is disabled.")
