"""`agentplane webhooks …`: where the organisation hears of its events."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agentplane_cli.connection import connect
from agentplane_cli.output import Format, Output, age, note, show_fields, show_json, show_list
from agentplane_cli.terminal import confirm_by_typing, say

app = typer.Typer(help="Webhooks: events sent to a URL of yours, signed.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="ID", help="The webhook's id.")]
DeliveryId = Annotated[str, typer.Argument(metavar="DELIVERY", help="The delivery's id.")]
Events = Annotated[
    list[str] | None, typer.Option("--event", "-e", help="A type, as agent.*; may be given again; none: all.")
]
Most = Annotated[int, typer.Option(min=1, max=1000)]


@app.command()
def create(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="Where to send events; https.")],
    event: Events = None,
    description: Annotated[str, typer.Option("--description", "-d")] = "",
    output: Output = Format.TABLE,
) -> None:
    """Make a webhook; the secret that signs its messages is shown this once."""
    body = {"url": url, "event_types": event or [], "description": description}
    _show_secret(connect(context).post("/webhooks", body), output)


@app.command("list")
def list_webhooks(context: typer.Context, limit: Most = 50, output: Output = Format.TABLE) -> None:
    """List webhooks, newest first."""
    show_list(
        connect(context).pages("/webhooks", limit),
        ("URL", "EVENTS", "STATE", "FAILING FOR", "ID"),
        lambda hook: (
            hook["url"], ", ".join(hook["event_types"]) or "all", _state(hook), age(hook["failing_since"]),
            hook["id"],
        ),
        output=output,
        empty="no webhooks yet; `agentplane webhooks create https://…` makes one",
    )  # fmt: skip


@app.command()
def show(context: typer.Context, webhook_id: Id, output: Output = Format.TABLE) -> None:
    """Show one webhook."""
    hook = connect(context).get(f"/webhooks/{webhook_id}")
    if output is Format.JSON:
        show_json(hook)
        return
    show_fields(
        [
            ("id", hook["id"]),
            ("url", hook["url"]),
            ("description", hook["description"]),
            ("events", ", ".join(hook["event_types"]) or "all"),
            ("state", _state(hook)),
            ("failing since", hook["failing_since"]),
            ("old secret until", hook["previous_secret_until"]),
            ("created", f"{hook['created_at']} by {hook['created_by']}"),
        ]
    )


@app.command()
def update(
    context: typer.Context,
    webhook_id: Id,
    url: Annotated[str | None, typer.Option("--url")] = None,
    event: Events = None,
    description: Annotated[str | None, typer.Option("--description", "-d")] = None,
    enable: Annotated[bool | None, typer.Option("--enable/--disable")] = None,
) -> None:
    """Change a webhook; what is not given stays."""
    state = None if enable is None else "enabled" if enable else "disabled"
    given = {"url": url, "event_types": event or None, "description": description, "state": state}
    body = {name: value for name, value in given.items() if value is not None}
    hook = connect(context).patch(f"/webhooks/{webhook_id}", body)
    say(f"{hook['url']} is {_state(hook)}")


@app.command()
def delete(
    context: typer.Context,
    webhook_id: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Send nothing there any more."""
    if not yes:
        confirm_by_typing("delete", f"This deletes the webhook {webhook_id} with its log.")
    connect(context).delete(f"/webhooks/{webhook_id}")
    say(f"{webhook_id} is deleted")


@app.command()
def rotate(
    context: typer.Context,
    webhook_id: Id,
    overlap: Annotated[int, typer.Option(min=0, max=604_800, help="Seconds the old one signs too.")] = 86_400,
    output: Output = Format.TABLE,
) -> None:
    """Make a new secret; it is shown this once."""
    made = connect(context).post(f"/webhooks/{webhook_id}/rotate", {"overlap_seconds": overlap})
    _show_secret(made, output)


@app.command()
def test(context: typer.Context, webhook_id: Id) -> None:
    """Send a message that says nothing, to see whether it arrives."""
    delivery = connect(context).post(f"/webhooks/{webhook_id}/test")
    say(delivery["id"])
    note(f"see `agentplane webhooks delivery {webhook_id} {delivery['id']}`")


@app.command()
def deliveries(
    context: typer.Context,
    webhook_id: Id,
    state: Annotated[str | None, typer.Option(help="pending, delivered or failed.")] = None,
    limit: Most = 50,
    output: Output = Format.TABLE,
) -> None:
    """List what was and will be sent, newest first."""
    show_list(
        connect(context).pages(f"/webhooks/{webhook_id}/deliveries", limit, state=state),
        ("EVENT", "STATE", "TRIES", "AGE", "NEXT TRY", "ID"),
        lambda each: (
            each["event_type"], each["state"], each["attempts"], age(each["created_at"]), each["due_at"],
            each["id"],
        ),
        output=output,
        empty="nothing was sent yet; `agentplane webhooks test ID` sends something",
    )  # fmt: skip


@app.command()
def delivery(
    context: typer.Context, webhook_id: Id, delivery_id: DeliveryId, output: Output = Format.TABLE
) -> None:
    """Show one delivery with every try."""
    found = connect(context).get(f"/webhooks/{webhook_id}/deliveries/{delivery_id}")
    if output is Format.JSON:
        show_json(found)
        return
    show_fields([("event", found["event_type"]), ("state", found["state"]), ("next try", found["due_at"])])
    show_list(
        found["tries"],
        ("TRY", "AT", "TOOK", "ANSWER"),
        lambda each: (
            each["number"], each["started_at"], f"{each['duration_ms']} ms", each["status"] or each["error"],
        ),
        empty="not tried yet",
    )  # fmt: skip
    say(found["body"])


@app.command()
def resend(context: typer.Context, webhook_id: Id, delivery_id: DeliveryId) -> None:
    """Send a delivery again now."""
    connect(context).post(f"/webhooks/{webhook_id}/deliveries/{delivery_id}/resend")
    say(f"{delivery_id} is sent again")


def _state(hook: dict[str, Any]) -> str:
    reason = hook["disabled_reason"]
    return f"{hook['state']} ({reason})" if reason else f"{hook['state']}"


def _show_secret(hook: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        show_json(hook)
        return
    # Alone on standard output, so that a script can take it.
    say(hook["secret"])
    note(f"the secret of webhook {hook['id']}; keep it now, it is not shown again")
