"""`agentplane fork --search …` and `agentplane bulk-forks …`: one change tried on many executions."""

from __future__ import annotations

import json
import time
import uuid
from typing import Annotated, Any

import typer

from agentplane_cli.agents import find_agent
from agentplane_cli.amounts import nano
from agentplane_cli.api import Api
from agentplane_cli.connection import connect
from agentplane_cli.edit_options import read_bulk_edits
from agentplane_cli.failure import Exit, Failure
from agentplane_cli.output import Format, Output, age, dollars, note, show_fields, show_json, show_list
from agentplane_cli.terminal import say
from agentplane_cli.watching import watchable

PATH = "/time-travel/bulk-forks"
LOOK_SECONDS = 2.0
VERDICTS = ("fixed", "still_failing", "regressed", "unchanged", "diverged", "error")

app = typer.Typer(help="Bulk forks: one change tried on many executions.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="BULK_FORK", help="Id of the bulk fork.")]

Search = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT", help="Fork every execution with a step like this: tool=refund,status=failed."
    ),
]
After = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHAT", help="With --search: a step before that one, as name=lookup; may be repeated."
    ),
]
OfAgent = Annotated[
    str | None, typer.Option("--agent", "-a", help="Fork executions of this agent (name or id).")
]
Status = Annotated[str | None, typer.Option(help="Of these only the ones that ended so, as failed.")]
Most = Annotated[int, typer.Option("--limit", min=1, max=1000, help="Of many executions, the newest.")]
PlaceOption = Annotated[
    str, typer.Option("--place", metavar="PLACE", help="first, last (model call), match, or a step's number.")
]
Expect = Annotated[
    str | None,
    typer.Option(
        metavar="KIND=VALUE", help="What outputs must be: contains=TEXT, matches=REGEX, equals=JSON."
    ),
]
Budget = Annotated[str | None, typer.Option(help="Dollars that all forks together may cost.")]
AtOnce = Annotated[int, typer.Option("--concurrency", min=1, max=50, help="Forks at work at a time.")]
EstimateOnly = Annotated[bool, typer.Option("--estimate", help="Only say what it would take.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Stay until every fork has its verdict.")]


def selection_of(
    api: Api, search: str | None, after: list[str] | None, agent: str | None, status: str | None, limit: int
) -> dict[str, Any]:
    """The executions that the options mean."""
    steps = {**pairs_of(search), "after": [pairs_of(each) for each in after or []]} if search else None
    return {
        "steps": steps,
        "agent_id": find_agent(api, agent)["id"] if agent else None,
        "status": status,
        "limit": limit,
    }


def pairs_of(text: str) -> dict[str, str]:
    """`tool=refund,status=failed` as a pattern of a step."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(equals for _, equals, _ in pairs):
        raise Failure(f"{text!r} is not NAME=VALUE,NAME=VALUE", Exit.USAGE)
    return {name.strip(): value.strip() for name, _, value in pairs}


def bulk_change(
    place: str, edits: list[str], answers: list[str], expect: str | None, budget: str | None
) -> dict[str, Any]:
    """What is changed where, and what is expected of it."""
    rules = {"first": "first_model_call", "last": "last_model_call", "match": "match"}
    if place not in rules and not place.isdigit():
        raise Failure(f"{place!r} is none of first, last, match, and no number of a step", Exit.USAGE)
    at = {"rule": rules[place]} if place in rules else {"rule": "step", "step": int(place)}
    return {
        "place": at,
        "edits": read_bulk_edits(edits, answers),
        "expect": _expectation(expect) if expect else None,
        "budget_nano": nano(budget) if budget else None,
    }


def begin(api: Api, body: dict[str, Any], estimate: bool, watch: bool, output: Format) -> None:
    """Say what it would take; then begin, unless that was all that was asked."""
    if estimate:
        found = api.post(f"{PATH}/estimate", body)
        show_json(found) if output is Format.JSON else _show_estimate(found)
        return
    bulk = api.post_once(PATH, body, str(uuid.uuid4()))
    if output is not Format.JSON:
        _show_estimate(bulk["estimate"])
        say(bulk["id"])
    while watch and bulk["state"] == "running":
        note(_progress(bulk))
        time.sleep(LOOK_SECONDS)
        bulk = api.get(f"{PATH}/{bulk['id']}")
    if output is Format.JSON:
        show_json(bulk)
    elif watch:
        _show(api, bulk)


@app.command("list")
@watchable
def list_bulk_forks(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    output: Output = Format.TABLE,
) -> None:
    """List bulk forks, newest first."""
    show_list(
        connect(context).pages(PATH, limit),
        ("ID", "NAME", "STATE", "EXECUTIONS", "VERDICTS", "COST", "AGE"),
        lambda each: (
            each["id"], each["name"], each["state"], sum(each["states"].values()), _verdicts(each),
            dollars(each["cost_nano"]), age(each["created_at"]),
        ),
        output=output,
        state=lambda each: each["state"],
        empty="no bulk forks yet; `agentplane fork --search …` makes one",
    )  # fmt: skip


@app.command()
@watchable
def show(context: typer.Context, bulk_fork: Id, output: Output = Format.TABLE) -> None:
    """Show how far a bulk fork is, and what became of each execution."""
    api = connect(context)
    bulk = api.get(f"{PATH}/{bulk_fork}")
    if output is Format.JSON:
        show_json({**bulk, "items": api.pages(f"{PATH}/{bulk_fork}/executions", 1000)})
    else:
        _show(api, bulk)


@app.command()
def cancel(context: typer.Context, bulk_fork: Id, output: Output = Format.TABLE) -> None:
    """Begin no further fork, and end those at work."""
    bulk = connect(context).post(f"{PATH}/{bulk_fork}/cancel")
    show_json(bulk) if output is Format.JSON else say(f"{bulk['id']} is {bulk['state']}, and ends")


def _show(api: Api, bulk: dict[str, Any]) -> None:
    show_fields(
        [
            ("Bulk fork", bulk["id"]),
            ("Name", bulk["name"]),
            ("State", bulk["state"] + (f": {bulk['reason']}" if bulk["reason"] else "")),
            ("Progress", _progress(bulk)),
            ("Verdicts", _verdicts(bulk) or None),
            ("Cost", f"{dollars(bulk['cost_nano'])} of {dollars(bulk['estimate']['cost_nano'])} estimated"),
        ]
    )
    show_list(
        api.pages(f"{PATH}/{bulk['id']}/executions", 1000),
        ("EXECUTION", "AT", "WAS", "FORK", "VERDICT", "COST", "WHY"),
        lambda each: (
            each["source_execution_id"], each["step"], each["original_status"], each["fork_execution_id"],
            each["verdict"] or each["state"], dollars(each["cost_nano"]), each["reason"],
        ),
        output=Format.TABLE,
        empty="no executions",
    )  # fmt: skip


def _show_estimate(estimate: dict[str, Any]) -> None:
    calls = estimate["tool_calls"]
    unpriced = estimate["unpriced_calls"]
    skipped = f", {estimate['skipped']} more have no such place" if estimate["skipped"] else ""
    say(f"{estimate['executions']} executions{skipped}")
    tokens = f"{estimate['tokens_in']}+{estimate['tokens_out']} tokens"
    cost = dollars(estimate["cost_nano"]) + (f" and {unpriced} calls without a price" if unpriced else "")
    say(f"{estimate['model_calls']} live model calls, {tokens}, {cost}")
    again = f"{calls['read']} read, {calls['write']} write, {calls['irreversible']} irreversible"
    say(f"tools called again: {again}; {estimate['effects_that_run']} of them change the world")


def _progress(bulk: dict[str, Any]) -> str:
    states = bulk["states"]
    named = [
        f"{states[name]} {name}" for name in ("done", "running", "waiting", "skipped") if states.get(name)
    ]
    return ", ".join(named)


def _verdicts(bulk: dict[str, Any]) -> str:
    found = bulk["verdicts"]
    return ", ".join(f"{found[name]} {name.replace('_', ' ')}" for name in VERDICTS if found.get(name))


def _expectation(text: str) -> dict[str, Any]:
    kind, equals, value = text.partition("=")
    if not equals or kind not in {"contains", "matches", "equals"}:
        raise Failure(f"{text!r} is not contains=TEXT, matches=REGEX or equals=JSON", Exit.USAGE)
    try:
        return {"kind": kind, "value": json.loads(value) if kind == "equals" else value}
    except ValueError as error:
        raise Failure(f"equals= takes JSON: {error}", Exit.USAGE) from error
