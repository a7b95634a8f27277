"""`agentplane members …`: who belongs to the organisation, and as what."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from agentplane_cli.api import Api
from agentplane_cli.connection import connect
from agentplane_cli.failure import Exit, Failure
from agentplane_cli.output import Format, Output, age, note, show_json, show_list
from agentplane_cli.terminal import confirm_by_typing, say

app = typer.Typer(
    help="Members: list, roles and what they allow, change role, remove, reset a password.",
    no_args_is_help=True,
)
Who = Annotated[str, typer.Argument(metavar="MEMBER", help="E-mail address or id.")]


class Role(StrEnum):
    """What a member may do; `agentplane members roles` has the table."""

    OWNER = "owner"
    ADMIN = "admin"
    OPERATOR = "operator"
    DEVELOPER = "developer"
    VIEWER = "viewer"
    BILLING = "billing"
    AUDITOR = "auditor"


@app.command("list")
def list_members(context: typer.Context, output: Output = Format.TABLE) -> None:
    """List the members of the organisation."""
    api = connect(context)
    show_list(
        api.get(f"{_organisation(api)}/members"),
        ("EMAIL", "NAME", "ROLE", "MEMBER FOR", "ID"),
        lambda member: (
            member["email"], member["name"], member["role"], age(member["joined_at"]), member["user_id"],
        ),
        output=output,
    )  # fmt: skip


@app.command("roles")
def list_roles(
    context: typer.Context,
    role: Annotated[Role | None, typer.Argument(help="Only this one, with all that it allows.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """List the roles and what each allows: agentplane members roles developer."""
    roles: list[dict[str, Any]] = connect(context).get("/roles")
    if role is None:
        show_list(
            roles,
            ("ROLE", "PERMISSIONS", "YOU MAY GRANT", "WHAT FOR"),
            lambda each: (each["name"], len(each["permissions"]), each["grantable"], each["summary"]),
            output=output,
        )
        return
    (only,) = (each for each in roles if each["name"] == role.value)
    if output is Format.JSON:
        show_json(only)
        return
    note(only["summary"])
    for permission in only["permissions"]:
        say(permission)


@app.command("set-role")
def set_role(
    context: typer.Context,
    member: Who,
    role: Annotated[Role, typer.Argument(help="The new role; none above your own.")],
    output: Output = Format.TABLE,
) -> None:
    """Give a member another role."""
    api = connect(context)
    changed = api.patch(_path(api, member), {"role": role.value})
    if output is Format.JSON:
        show_json(changed)
        return
    say(f"{changed['email']} is {changed['role']} now.")


@app.command()
def remove(
    context: typer.Context,
    member: Who,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """End a membership, with the member's API keys."""
    api = connect(context)
    path = _path(api, member)
    if not yes:
        confirm_by_typing("remove", f"This removes {member} from the organisation.")
    api.delete(path)
    say(f"{member} is removed.")


@app.command("reset-password")
def reset_password(context: typer.Context, member: Who, output: Output = Format.TABLE) -> None:
    """Make a one-time token by which a member sets a new password; pass it on yourself."""
    api = connect(context)
    made = api.post(f"{_path(api, member)}/password-reset")
    if output is Format.JSON:
        show_json(made)
        return
    # Alone on standard output, so that a script can take it.
    say(made["token"])
    note(f"no mail is sent: give it to {member}, who types `agentplane password reset TOKEN`")
    note(f"it is good once, until {made['expires_at']}")


def _organisation(api: Api) -> str:
    return f"/organisations/{api.get('/auth/me')['organisation_id']}"


def _path(api: Api, member: str) -> str:
    base = f"{_organisation(api)}/members"
    found: list[dict[str, Any]] = api.get(base)
    for each in found:
        if member in (each["user_id"], each["email"]):
            return f"{base}/{each['user_id']}"
    raise Failure(f"there is no member {member}; see `agentplane members list`", Exit.NOT_FOUND)
