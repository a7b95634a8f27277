"""`agentplane invitations …`: how somebody becomes a member."""

from __future__ import annotations

from typing import Annotated

import typer

from agentplane_cli.connection import connect
from agentplane_cli.members import Role
from agentplane_cli.output import Format, Output, note, show_fields, show_json, show_list
from agentplane_cli.session import PasswordFile, new_password, or_from_stdin
from agentplane_cli.terminal import say

app = typer.Typer(help="Invitations: make, list, revoke, accept.", no_args_is_help=True)
Token = Annotated[
    str, typer.Argument(metavar="TOKEN", help="The invitation's token; - reads standard input.")
]


@app.command()
def create(
    context: typer.Context,
    email: Annotated[str, typer.Argument(help="Whom to invite.")],
    role: Annotated[Role, typer.Option(help="None above your own.")] = Role.VIEWER,
    expires_in_days: Annotated[int, typer.Option("--expires-in-days", min=1, max=30)] = 7,
    output: Output = Format.TABLE,
) -> None:
    """Invite somebody; the token is shown this once, and no mail is sent."""
    body = {"email": email, "role": role.value, "expires_in_days": expires_in_days}
    made = connect(context).post("/invitations", body)
    if output is Format.JSON:
        show_json(made)
        return
    # Alone on standard output, so that a script can take it.
    say(made["token"])
    note(f"no mail is sent: give it to {email}, who types `agentplane invitations accept TOKEN`")
    note(f"it is good once, until {made['expires_at']}")


@app.command("list")
def list_invitations(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    output: Output = Format.TABLE,
) -> None:
    """List invitations without their tokens, newest first."""
    show_list(
        connect(context).pages("/invitations", limit),
        ("EMAIL", "ROLE", "STATE", "BY", "EXPIRES", "ID"),
        lambda each: (
            each["email"], each["role"], each["state"], each["invited_by"], each["expires_at"], each["id"],
        ),
        output=output,
        empty="no invitations yet; `agentplane invitations create EMAIL --role developer` makes one",
    )  # fmt: skip


@app.command()
def revoke(context: typer.Context, invitation_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Make an invitation worthless."""
    connect(context).delete(f"/invitations/{invitation_id}")
    say(f"{invitation_id} is revoked.")


@app.command()
def show(context: typer.Context, token: Token, output: Output = Format.TABLE) -> None:
    """Show what a token invites to."""
    found = connect(context).post_unknown("/invitations/show", {"token": or_from_stdin(token)})
    if output is Format.JSON:
        show_json(found)
        return
    show_fields(
        [
            ("Organisation", f"{found['organisation_name']} ({found['organisation_slug']})"),
            ("Invited", found["email"]),
            ("Role", found["role"]),
            ("Good until", found["expires_at"]),
            ("Account exists", found["account_exists"]),
        ]
    )


@app.command()
def accept(
    context: typer.Context,
    token: Token,
    name: Annotated[str | None, typer.Option(help="Your name, for a new account.")] = None,
    password_file: PasswordFile = None,
    output: Output = Format.TABLE,
) -> None:
    """Join: with a new password, or with the one of the account that you have."""
    api, token = connect(context), or_from_stdin(token)
    found = api.post_unknown("/invitations/show", {"token": token})
    password = new_password(password_file, repeat=not found["account_exists"])
    body = {"token": token, "password": password, "name": name}
    done = api.post_unknown("/invitations/accept", body)
    if output is Format.JSON:
        show_json(done)
        return
    say(f"{done['email']} is {done['role']} of {done['organisation_name']} now.")
    note(f"agentplane login --email {done['email']} --organisation {done['organisation_slug']}")
