"""`agentplane org …`: the organisations you belong to, and which of them you act for."""

from __future__ import annotations

from typing import Annotated

import typer

from agentplane_cli.connection import connect
from agentplane_cli.output import Format, Output, age, note, show_json, show_list
from agentplane_cli.terminal import confirm_by_typing, say

app = typer.Typer(help="Organisations: list, create, switch, delete.", no_args_is_help=True)
Slug = Annotated[str, typer.Argument(metavar="SLUG", help="Short name of the organisation.")]


@app.command("list")
def list_organisations(context: typer.Context, output: Output = Format.TABLE) -> None:
    """List your organisations; the one you act for is marked."""
    api = connect(context)
    current = api.get("/auth/me")["organisation_id"]
    show_list(
        [{**each, "current": each["id"] == current} for each in api.get("/organisations")],
        ("SLUG", "NAME", "ROLE", "CURRENT", "AGE", "ID"),
        lambda org: (
            org["slug"], org["name"], org["role"], org["current"], age(org["created_at"]), org["id"],
        ),
        output=output,
    )  # fmt: skip


@app.command()
def create(
    context: typer.Context,
    slug: Slug,
    name: Annotated[str | None, typer.Option(help="Name for people; the slug by default.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Found an organisation, with you as its owner."""
    made = connect(context).post("/organisations", {"slug": slug, "name": name or slug})
    if output is Format.JSON:
        show_json(made)
        return
    say(made["id"])
    note(f"{slug} is yours; `agentplane org switch {slug}` acts for it")


@app.command()
def switch(context: typer.Context, slug: Slug) -> None:
    """Act for another of your organisations from now on."""
    connect(context).switch(slug)
    say(f"You act for {slug} now.")


@app.command()
def rename(
    context: typer.Context, name: Annotated[str, typer.Argument(help="The new name; the slug stays.")]
) -> None:
    """Give the organisation you act for another name."""
    api = connect(context)
    api.patch(f"/organisations/{api.get('/auth/me')['organisation_id']}", {"name": name})
    say(f"The organisation is called {name} now.")


@app.command()
def delete(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """End the organisation you act for, for everybody in it; refused while it has agents."""
    api = connect(context)
    me = api.get("/auth/me")
    slug = me["organisation_slug"]
    if not yes:
        confirm_by_typing(slug, f"This ends the organisation {slug} for everybody in it.")
    api.delete(f"/organisations/{me['organisation_id']}", confirm=slug)
    api.renew_soon()
    say(f"{slug} is deleted.")
