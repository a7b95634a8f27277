"""`agentplane audit …`: who did what, and whether the log was touched."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from agentplane_cli.connection import connect
from agentplane_cli.failure import Exit, Failure
from agentplane_cli.output import Format, Output, note, show_json, show_list
from agentplane_cli.terminal import say

app = typer.Typer(help="The audit log: search, export, verify.", no_args_is_help=True)
Actor = Annotated[str | None, typer.Option(help="Id, or a part of the e-mail address or key's name.")]
Action = Annotated[str | None, typer.Option(help="What was done, as create_agent.")]
Target = Annotated[str | None, typer.Option(help="Id of what was written.")]
Outcome = Annotated[str | None, typer.Option(help="success, refused or failed.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="As 2026-11-22T15:04:05Z.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="As 2026-11-22T15:04:05Z.")]


@app.command("list")
def list_records(
    context: typer.Context,
    actor: Actor = None,
    action: Action = None,
    target: Target = None,
    outcome: Outcome = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    output: Output = Format.TABLE,
) -> None:
    """List recorded writes, newest first."""
    search = {"actor": actor, "action": action, "target": target, "outcome": outcome}
    show_list(
        connect(context).pages("/audit", limit, **search, since=since, until=until),
        ("AT", "ACTOR", "ACTION", "TARGET", "STATUS", "ADDRESS"),
        lambda each: (
            each["occurred_at"], each["actor_label"], each["action"],
            " ".join(filter(None, (each["target_kind"], each["target_id"]))), each["status"], each["ip"],
        ),
        output=output,
    )  # fmt: skip


@app.command()
def export(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Where to write; standard output by default.")] = None,
    actor: Actor = None,
    action: Action = None,
    target: Target = None,
    outcome: Outcome = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Write records as lines of JSON, oldest first, each with its place and hash in the chain."""
    search = {"actor": actor, "action": action, "target": target, "outcome": outcome}
    lines = connect(context).lines("/audit/export", **search, since=since, until=until)
    if file is None:
        for line in lines:
            sys.stdout.write(line + "\n")
        return
    written = 0
    with file.open("w", encoding="utf-8") as stream:
        for line in lines:
            written += bool(stream.write(line + "\n"))
    note(f"{written} records are in {file}")


@app.command()
def verify(
    context: typer.Context,
    position: Annotated[int | None, typer.Option(min=1, help="A head noted earlier.")] = None,
    hash_: Annotated[str | None, typer.Option("--hash", help="Its hash.")] = None,
    file: Annotated[Path | None, typer.Option(help="A whole export: verify it here, asking nobody.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Compare every record with the chain of hashes; ends with 1 and the first that does not fit."""
    if file is not None:
        found = verified(file)
    else:
        found = connect(context).get("/audit/verify", timeout=600, position=position, hash=hash_)
    if output is Format.JSON:
        show_json(found)
    elif found["intact"]:
        say(f"intact: {found['records']} records; head {found['position']} {found['hash']}")
    if not found["intact"]:
        broken = found["broken"]
        raise Failure(
            f"the audit log is broken at position {broken['position']}: {broken['reason']}", Exit.FAILED
        )


def verified(file: Path) -> dict[str, Any]:
    """What the server's verification says, worked out from an export."""
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    chained = sorted((line for line in lines if line["position"]), key=lambda line: line["position"])
    position, previous, broken = 0, bytes(32), None
    for line in chained:
        canonical = json.dumps(line["record"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256(previous + canonical.encode()).digest()
        if line["position"] != position + 1:
            broken = {"position": position + 1, "reason": "position_missing"}
        elif digest.hex() != line["hash"]:
            broken = {"position": line["position"], "reason": "record_changed"}
        if broken:
            break
        position, previous = line["position"], digest
    return {
        "intact": broken is None,
        "records": position,
        "waiting": len(lines) - len(chained),
        "position": position,
        "hash": previous.hex(),
        "broken": broken,
    }
