"""`agentplane fork|replay|diff|tree|decide` and `agentplane masks …`: run again what was recorded."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from agentplane_cli import bulk_forks
from agentplane_cli.agents import AgentRef, find_agent
from agentplane_cli.api import Api
from agentplane_cli.connection import connect
from agentplane_cli.edit_options import read_edits
from agentplane_cli.executions import Id, error_lines, summary
from agentplane_cli.failure import Exit, Failure
from agentplane_cli.output import Format, Output, dollars, note, show_json, show_list
from agentplane_cli.running import ENDED, waited
from agentplane_cli.terminal import say, styled

MARKS = {"same": " ", "edited": "✎", "diverged": "≠", "added": "+", "missing": "-"}
STYLES = {"edited": "warn", "diverged": "warn", "added": "ok", "missing": "fail", "same": "dim"}

At = Annotated[int | None, typer.Option("--at", min=1, metavar="STEP", help="First step that runs live.")]
Edits = Annotated[
    list[str] | None,
    typer.Option("--edit", metavar="STEP/PATH=JSON", help="Change the request of a step; may be repeated."),
]
Answers = Annotated[
    list[str] | None,
    typer.Option("--answer", metavar="STEP[/PATH]=JSON", help="Put this in place of a step's response."),
]
Diverged = Annotated[
    str, typer.Option("--on-divergence", metavar="POLICY", help="fail, live, or ask a person.")
]
Model = Annotated[str | None, typer.Option(help="Model of the live part.")]
Branches = Annotated[int, typer.Option("--branches", "-n", min=1, max=50, help="How many forks to make.")]
Effects = Annotated[
    bool, typer.Option("--live-effects", help="Let irreversible tools run again (permission effects:live).")
]
Egress = Annotated[bool, typer.Option("--egress", help="Let the agent reach hosts again.")]
Detach = Annotated[bool, typer.Option("--no-wait", help="Only queue, and print the ids.")]


def fork(
    context: typer.Context,
    execution: Annotated[
        str | None,
        typer.Argument(metavar="[EXECUTION]", help="Id of the execution; or use --search, --agent."),
    ] = None,
    at: At = None,
    edit: Edits = None,
    answer: Answers = None,
    on_divergence: Diverged = "fail",
    model: Model = None,
    branches: Branches = 1,
    live_effects: Effects = False,
    egress: Egress = False,
    no_wait: Detach = False,
    search: bulk_forks.Search = None,
    after: bulk_forks.After = None,
    agent: bulk_forks.OfAgent = None,
    status: bulk_forks.Status = None,
    limit: bulk_forks.Most = 100,
    place: bulk_forks.PlaceOption = "first",
    expect: bulk_forks.Expect = None,
    budget: bulk_forks.Budget = None,
    concurrency: bulk_forks.AtOnce = 4,
    name: Annotated[str | None, typer.Option(help="Name of a bulk fork.")] = None,
    estimate: bulk_forks.EstimateOnly = False,
    watch: bulk_forks.Watch = False,
    output: Output = Format.TABLE,
) -> None:
    """
    Run an execution again, live from a step on; what comes before is answered from the journal.

    With --search or --agent, do so with every execution that is meant, and judge each fork: a bulk fork.
    """
    asked: dict[str, Any] = {
        "on_divergence": on_divergence,
        "model": model,
        "allow_effects": "live" if live_effects else "ledger",
        "allow_egress": egress,
    }
    api = connect(context)
    if search is not None or agent is not None:
        if execution is not None or at is not None or branches != 1:
            raise Failure(
                "a bulk fork takes no EXECUTION, --at or --branches; --place says where", Exit.USAGE
            )
        chosen = bulk_forks.selection_of(api, search, after, agent, status, limit)
        change = bulk_forks.bulk_change(place, edit or [], answer or [], expect, budget)
        body = {**asked, **change, "selection": chosen, "concurrency": concurrency, "name": name}
        bulk_forks.begin(api, body, estimate, watch, output)
        return
    if execution is None:
        raise Failure("name an EXECUTION, or say with --search or --agent which are meant", Exit.USAGE)
    asked |= {"at_step": at, "edits": read_edits(edit or [], answer or []), "branches": branches}
    _run_again(api, f"/time-travel/executions/{execution}/fork", asked, no_wait, output)


def replay(
    context: typer.Context,
    execution: Id,
    on_divergence: Diverged = "fail",
    no_wait: Detach = False,
    output: Output = Format.TABLE,
) -> None:
    """Run an execution again with every step answered from the journal: it costs nothing."""
    path = f"/time-travel/executions/{execution}/replay"
    _run_again(connect(context), path, {"on_divergence": on_divergence}, no_wait, output)


def diff(
    context: typer.Context,
    execution: Id,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Id of the execution to compare with.")],
    full: Annotated[bool, typer.Option("--full", help="Show how each step differs.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Compare two executions step by step."""
    found = connect(context).get(f"/time-travel/executions/{execution}/diff/{other}")
    if output is Format.JSON:
        show_json(found)
        return
    for row in found["aligned"]:
        left, right = row["left"], row["right"]
        step = right or left
        places = f"{left['seq'] if left else '':>5} {right['seq'] if right else '':>5}"
        named = step["model"] or step["name"]
        line = f"{MARKS[row['change']]} {places}  {row['change']:<9} {step['kind']:<6} {named}"
        say(styled(line, STYLES[row["change"]]))
        for each in row["diff"] if full else []:
            say(styled(f"        {each}", "dim"))
    for side in ("left", "right"):
        sums = found[side]
        took = f"{sums['tokens_in']}+{sums['tokens_out']} tokens, {dollars(sums['cost_nano'])}"
        took += f", {sums['duration_seconds']:.1f} s"
        say(f"{side:<5} {sums['execution_id']}: {sums['steps']} steps, {took}")
    say(f"the first {found['common_prefix']} are the same")


def tree(context: typer.Context, execution: Id, output: Output = Format.TABLE) -> None:
    """Show the tree of forks, replays and children that an execution belongs to."""
    found = connect(context).get(f"/time-travel/executions/{execution}/tree")
    if output is Format.JSON:
        show_json(found)
        return
    for depth, each in _walk(found, 0):
        where = f" at step {each['parent_step']}" if each["parent_step"] else ""
        came = f"{each['relation']}{where}: " if each["relation"] else ""
        went = f", diverged at step {each['diverged_at']}" if each["diverged_at"] else ""
        mine = "  ←" if each["id"] == execution else ""
        say(f"{'  ' * depth}{came}{each['id']} {each['agent_name']}: {summary(each)}{went}{mine}")


def decide(
    context: typer.Context,
    execution: Id,
    what: Annotated[str, typer.Argument(metavar="live|fail", help="What it is to do.")],
    output: Output = Format.TABLE,
) -> None:
    """Let a replay that waits at its divergence go on live, or fail."""
    path = f"/time-travel/executions/{execution}/divergence"
    document = connect(context).post(path, {"on_divergence": what})
    show_json(document) if output is Format.JSON else say(f"{document['id']} goes on: {what}")


def _run_again(api: Api, path: str, body: dict[str, Any], no_wait: bool, output: Format) -> None:
    made = api.post_once(path, body, str(uuid.uuid4()))
    ended = made if no_wait else [_waited(api, each["id"]) for each in made]
    if output is Format.JSON:
        show_json(ended)
        return
    for each in ended:
        if no_wait:
            say(each["id"])
            continue
        say(f"{each['id']}: {summary(each)}")
        if each["diverged_at"]:
            _show_divergence(each)
        else:
            for line in error_lines(each):
                say(f"  {line}")
    if not no_wait:
        _hint(path.split("/")[3], ended)


def _hint(source: str, ended: list[Any]) -> None:
    if len(ended) == 1:
        note(f"compare: agentplane diff {source} {ended[0]['id']}")
    else:
        note(f"compare: agentplane tree {source}")


def _waited(api: Api, execution_id: str) -> Any:
    """The execution once it has ended, or waits for a person."""
    execution = waited(api, execution_id, also=frozenset({"waiting_for_input"}))
    if execution["status"] not in ENDED:
        how = f"executions resume {execution_id} VALUE" if execution["interrupt"] else None
        note(f"it waits; go on with: agentplane {how or f'decide {execution_id} live|fail'}")
    return execution


def _show_divergence(execution: dict[str, Any]) -> None:
    divergence = execution["divergence"] or {}
    nearest = (
        f", nearest to recorded step {divergence['source_step']}" if divergence.get("source_step") else ""
    )
    say(f"  diverged at step {execution['diverged_at']}{nearest}: {divergence.get('reason', '')}")
    for line in divergence.get("diff") or []:
        say(styled(f"    {line}", "dim"))


def _walk(branch: dict[str, Any], depth: int) -> Iterator[tuple[int, dict[str, Any]]]:
    yield depth, branch["execution"]
    for child in branch["children"]:
        yield from _walk(child, depth + 1)


masks = typer.Typer(help="Masks: what changes from run to run and does not count.", no_args_is_help=True)


@masks.command("list")
def list_masks(context: typer.Context, agent: AgentRef, output: Output = Format.TABLE) -> None:
    """List the masks of an agent."""
    api = connect(context)
    _show_masks(api.get(f"/time-travel/agents/{find_agent(api, agent)['id']}/masks"), output)


@masks.command()
def learn(context: typer.Context, execution: Id, output: Output = Format.TABLE) -> None:
    """Replay an execution once, at no cost, and propose masks for what changed meanwhile."""
    api = connect(context)
    replayed = waited(api, api.post(f"/time-travel/executions/{execution}/calibrate")["id"])
    if replayed["diverged_at"]:
        note(f"not all of it can be masked: {replayed['id']} diverged at step {replayed['diverged_at']}")
    path = f"/time-travel/agents/{replayed['agent_id']}/masks"
    _show_masks(api.get(path, version=replayed["agent_version"]), output)


@masks.command()
def approve(
    context: typer.Context,
    agent: AgentRef,
    mask: Annotated[str, typer.Argument(metavar="MASK", help="Id of the mask.")],
    reject: Annotated[bool, typer.Option("--reject", help="Never use it.")] = False,
) -> None:
    """Use a mask in every replay of its version, or with --reject in none."""
    api = connect(context)
    path = f"/time-travel/agents/{find_agent(api, agent)['id']}/masks/{mask}"
    done = api.patch(path, {"approve": not reject})
    say(f"{done['pointer']} {done['pattern']} is {done['state']}")


@masks.command()
def declare(
    context: typer.Context,
    agent: AgentRef,
    place: Annotated[
        str, typer.Argument(metavar="POINTER", help="JSON pointer; * stands for every element, / for all.")
    ],
    pattern: Annotated[
        str, typer.Argument(metavar="PATTERN", help="Regular expression (RE2) of what changes.")
    ],
    tool: Annotated[
        str | None, typer.Option(metavar="SERVER/TOOL", help="Of this tool's arguments, not of model calls.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=1, help="Version of the agent; else the present one.")
    ] = None,
) -> None:
    """Use a mask that you know, without learning it."""
    api = connect(context)
    path = f"/time-travel/agents/{find_agent(api, agent)['id']}/masks"
    pointer = "" if place == "/" else place
    body = {"tool": tool, "pointer": pointer, "pattern": pattern, "agent_version": version}
    done = api.post(path, body)
    of = done["tool"] or "model calls"
    say(f"{done['id']}: {of} {done['pointer'] or '/'} {done['pattern']} is {done['state']}")


def _show_masks(items: list[dict[str, Any]], output: Format) -> None:
    show_list(
        items,
        ("ID", "VERSION", "STATE", "OF", "PLACE", "PATTERN", "RECORDED", "LIVE"),
        lambda each: (
            each["id"], each["agent_version"], each["state"], each["tool"] or "model calls",
            each["pointer"] or "/", each["pattern"], *(each["example"] or ("declared", "")),
        ),
        output=output,
        empty="no masks: nothing has been learnt yet",
    )  # fmt: skip
