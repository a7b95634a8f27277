"""`agentplane login`, `logout`, `whoami`."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from agentplane_cli.connection import connect
from agentplane_cli.failure import Exit, Failure
from agentplane_cli.output import Format, Output, show_fields, show_json
from agentplane_cli.terminal import say

Email = Annotated[str | None, typer.Option(help="E-mail address.")]
PasswordFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="A file with the password; - reads standard input.")
]
Organisation = Annotated[str | None, typer.Option(help="Slug of the organisation; the first by default.")]


def login(
    context: typer.Context,
    email: Email = None,
    password_file: PasswordFile = None,
    organisation: Organisation = None,
) -> None:
    """Log in with e-mail and password; the session is kept for the commands that follow."""
    api = connect(context)
    email = email or _asked("E-mail: ")
    api.log_in(email, _password(password_file), organisation)
    say(f"Logged in at {api.url} as {email}.")


def logout(context: typer.Context) -> None:
    """End the session and forget it."""
    api = connect(context)
    say(f"Logged out of {api.url}." if api.log_out() else f"You were not logged in at {api.url}.")


def whoami(context: typer.Context, output: Output = Format.TABLE) -> None:
    """Show who you are, for which organisation, and what you may do."""
    api = connect(context)
    me = api.get("/auth/me")
    if output is Format.JSON:
        show_json(me)
        return
    show_fields(
        [
            ("Server", api.url),
            ("API key" if me["kind"] == "key" else "User", me["label"]),
            ("Organisation", f"{me['organisation_name']} ({me['organisation_slug']})"),
            ("Role", me["role"]),
            ("May", ", ".join(sorted(me["permissions"]))),
            ("Agents", ", ".join(me["agents"] or ())),
        ]
    )


def or_from_stdin(given: str) -> str:
    """What was given, or with `-` a line of standard input, where no list of processes shows it."""
    return sys.stdin.readline().strip() if given == "-" else given


def old_password(file: str | None) -> str:
    """The present password, from a file or typed."""
    return _password(file, "Current password: ")


def new_password(file: str | None, *, repeat: bool) -> str:
    """A password that is to be set, from a file or typed; typed twice where a mistake would lock you out."""
    given = _password(file, "New password: " if repeat else "Password: ")
    if repeat and file is None and getpass.getpass("Once more: ") != given:
        raise Failure("the two are not the same", Exit.USAGE)
    return given


def _asked(question: str) -> str:
    if not sys.stdin.isatty():
        raise Failure("nobody is here to be asked; give --email", Exit.USAGE)
    return input(question).strip()


def _password(file: str | None, question: str = "Password: ") -> str:
    if file == "-":
        return sys.stdin.readline().rstrip("\r\n")
    if file is not None:
        try:
            return Path(file).read_text(encoding="utf-8").splitlines()[0]
        except (OSError, IndexError) as error:
            raise Failure(f"there is no password in {file}: {error}", Exit.USAGE) from error
    if not sys.stdin.isatty():
        raise Failure("nobody is here to type the password; give --password-file", Exit.USAGE)
    return getpass.getpass(question)
