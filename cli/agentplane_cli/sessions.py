"""`agentplane sessions …` and `agentplane password …`: your own logins and your password."""

from __future__ import annotations

from typing import Annotated

import typer

from agentplane_cli.connection import connect
from agentplane_cli.output import Format, Output, age, show_list
from agentplane_cli.session import PasswordFile, new_password, old_password, or_from_stdin
from agentplane_cli.terminal import say

app = typer.Typer(help="Sessions: your logins, and how to end them.", no_args_is_help=True)
password = typer.Typer(help="Your password: change it, or set it by a one-time token.", no_args_is_help=True)


@app.command("list")
def list_sessions(context: typer.Context, output: Output = Format.TABLE) -> None:
    """List your logins, the most recently used first."""
    show_list(
        connect(context).get("/auth/sessions"),
        ("DEVICE", "ADDRESS", "ORGANISATION", "CURRENT", "LAST USED", "AGE", "ID"),
        lambda each: (
            each["user_agent"], each["ip"], each["organisation_slug"], each["current"],
            age(each["last_used_at"]), age(each["created_at"]), each["id"],
        ),
        output=output,
    )  # fmt: skip


@app.command()
def revoke(context: typer.Context, session_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """End one of your logins."""
    connect(context).delete(f"/auth/sessions/{session_id}")
    say(f"{session_id} is ended.")


@app.command("revoke-others")
def revoke_others(context: typer.Context) -> None:
    """End all your logins but this one."""
    ended = connect(context).post("/auth/sessions/revoke-others")["revoked"]
    say(f"{ended} other sessions are ended.")


@password.command()
def change(
    context: typer.Context,
    current_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="A file with the present password; - reads stdin.")
    ] = None,
    password_file: PasswordFile = None,
) -> None:
    """Change your password; your other logins end."""
    body = {
        "current_password": old_password(current_file),
        "new_password": new_password(password_file, repeat=True),
    }
    ended = connect(context).post("/auth/password", body)["revoked"]
    say(f"Your password is changed; {ended} other sessions are ended.")


@password.command()
def reset(
    context: typer.Context,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="What an administrator gave you; or -.")],
    password_file: PasswordFile = None,
) -> None:
    """Set your password by a one-time token; all your logins end."""
    body = {"token": or_from_stdin(token), "new_password": new_password(password_file, repeat=True)}
    connect(context).post_unknown("/auth/password/reset", body)
    say("Your password is set; log in with it.")
