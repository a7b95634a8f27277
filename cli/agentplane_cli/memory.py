"""`agentplane memory …`: add, search, list, show, rm, status, export, import."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from agentplane_cli.agents import find_agent
from agentplane_cli.api import Api
from agentplane_cli.connection import connect
from agentplane_cli.failure import Exit
from agentplane_cli.output import Format, Output, age, note, show_fields, show_json, show_list
from agentplane_cli.problem import Explained
from agentplane_cli.terminal import say

app = typer.Typer(help="Memory: what agents remember.", no_args_is_help=True)
Id = Annotated[str, typer.Argument(metavar="MEMORY", help="Id of the memory.")]
Agent = Annotated[str | None, typer.Option("--agent", help="Of this agent (name or id).")]
Thread = Annotated[str | None, typer.Option("--thread", help="And of this thread of it.")]
User = Annotated[str | None, typer.Option("--user", help="And what is remembered of this user.")]
Type = Annotated[str | None, typer.Option("--type", help="episodic, semantic, procedural or working.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="May be given several times.")]
Moment = Annotated[str | None, typer.Option(help="Memory as it was at this moment.")]
Step = Annotated[
    str | None, typer.Option(metavar="EXECUTION:STEP", help="Memory as it was when this step began.")
]
BATCH = 200
EXPORTED = "import takes what `agentplane memory export` wrote"


@app.command()
def add(
    context: typer.Context,
    content: Annotated[str, typer.Argument(help="What to remember; - reads standard input.")],
    agent: Agent = None,
    thread: Thread = None,
    user: User = None,
    kind: Type = None,
    tag: Tags = None,
    importance: Annotated[float | None, typer.Option(min=0, max=1)] = None,
    ttl: Annotated[int | None, typer.Option(min=1, help="Seconds until it is forgotten.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Remember something: of an agent, a thread, a user, or shared by all when none is named."""
    api = connect(context)
    body = {
        "content": sys.stdin.read() if content == "-" else content,
        "type": kind,
        "scope": _scope(agent, thread, user),
        "agent_id": _agent_id(api, agent),
        "thread_id": thread,
        "user_id": user,
        "tags": tag or None,
        "importance": importance,
        "ttl_seconds": ttl,
    }
    written = api.post("/memory", {name: value for name, value in body.items() if value is not None})
    if output is Format.JSON:
        show_json(written)
    elif written["stored"]:
        say(f"remembered {written['memory']['id']}")
    else:
        say(f"known already as {written['memory']['id']}, written again {written['duplicates']} times")


@app.command()
def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="The question, in plain words.")],
    agent: Agent = None,
    thread: Thread = None,
    user: User = None,
    kind: Type = None,
    tag: Tags = None,
    as_of: Moment = None,
    as_of_step: Step = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
    output: Output = Format.TABLE,
) -> None:
    """Find memories by meaning and words."""
    api = connect(context)
    named: dict[str, Any] = {"agent_id": _agent_id(api, agent), "thread_id": thread, "user_id": user}
    named |= {"as_of": as_of, **_step(as_of_step)}
    found = api.get("/memory/search", q=query, type=kind, tag=tag, limit=limit, **named)
    if output is Format.JSON:
        show_json(found)
        return
    show_list(
        found["items"],
        ("SCORE", "ID", "TYPE", "SIMILAR", "WORDS", "MEMORY"),
        lambda each: (
            f"{each['score']:.3f}", each["memory"]["id"], each["memory"]["type"],
            _similarity(each["explained"]), ", ".join(each["explained"]["matched_terms"][:4]),
            _short(each["memory"]["content"]),
        ),
        empty="nothing remembered answers that",
    )  # fmt: skip
    if found["degraded"]:
        waiting = found["pending_embeddings"]
        note(f"found by words only: {found['reason']}; {waiting} memories wait for an embedding")


@app.command("list")
def list_memories(
    context: typer.Context,
    agent: Agent = None,
    thread: Thread = None,
    user: User = None,
    kind: Type = None,
    tag: Tags = None,
    as_of: Moment = None,
    as_of_step: Step = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 20,
    output: Output = Format.TABLE,
) -> None:
    """List memories, newest first."""
    api = connect(context)
    named: dict[str, Any] = {"agent_id": _agent_id(api, agent), "thread_id": thread, "user_id": user}
    named |= {"as_of": as_of, **_step(as_of_step)}
    items = api.pages("/memory", limit, type=kind, tag=tag, **named)
    show_list(
        items,
        ("ID", "TYPE", "SCOPE", "AGE", "EXPIRES", "TAGS", "MEMORY"),
        lambda each: (
            each["id"], each["type"], each["scope"], age(each["created_at"]), each["expires_at"],
            ", ".join(each["tags"]), _short(each["content"]),
        ),
        output=output,
        empty="nothing is remembered yet; `agentplane memory add` does",
    )  # fmt: skip


@app.command()
def show(context: typer.Context, memory: Id, output: Output = Format.TABLE) -> None:
    """Show a memory in full."""
    document = connect(context).get(f"/memory/{memory}")
    if output is Format.JSON:
        show_json(document)
        return
    names = ("id", "version", "type", "scope", "agent_id", "thread_id", "user_id", "importance", "tags")
    more = ("metadata", "source_execution_id", "provenance", "created_by", "created_at", "expires_at")
    show_fields([(name.replace("_", " ").capitalize(), document[name]) for name in (*names, *more)])
    say(document["content"])


@app.command()
def rm(
    context: typer.Context,
    memory: Id,
    erase: Annotated[bool, typer.Option("--erase", help="Remove its past versions too.")] = False,
) -> None:
    """Forget a memory."""
    connect(context).delete(f"/memory/{memory}" + ("?erase=true" if erase else ""))
    say(f"forgot {memory}")


@app.command()
def status(context: typer.Context, output: Output = Format.TABLE) -> None:
    """Show whether embeddings are made, and how many memories wait for one."""
    document = connect(context).get("/memory/status")
    if output is Format.JSON:
        show_json(document)
    else:
        show_fields([(name.replace("_", " ").capitalize(), value) for name, value in document.items()])


@app.command()
def export(
    context: typer.Context,
    agent: Agent = None,
    limit: Annotated[int, typer.Option(min=1)] = 1_000_000,
) -> None:
    """Write memories to standard output, one JSON document a line."""
    api = connect(context)
    for item in api.pages("/memory/export", limit, agent_id=_agent_id(api, agent)):
        say(json.dumps(item, ensure_ascii=False))


@app.command("import")
def import_memories(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="What `export` wrote; - reads standard input.")],
    agent: Agent = None,
) -> None:
    """Take in what `export` wrote; memories of agents go to the agent named."""
    api = connect(context)
    items = _exported(file)
    totals = {"stored": 0, "duplicates": 0, "expired": 0}
    agent_id = _agent_id(api, agent)
    for start in range(0, len(items), BATCH):
        done = api.post("/memory/import", {"items": items[start : start + BATCH], "agent_id": agent_id})
        totals = {name: total + done[name] for name, total in totals.items()}
    say(", ".join(f"{number} {name}" for name, number in totals.items()))


def _step(named: str | None) -> dict[str, Any]:
    execution, _, seq = (named or "").partition(":")
    if named is not None and not seq.isdigit():
        raise Explained("a step is named as EXECUTION:STEP", Exit.USAGE, hint="--as-of-step EXECUTION:7")
    return {"as_of_execution": execution, "as_of_seq": seq} if named else {}


def _exported(file: Path) -> list[Any]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise Explained(f"{file} is not text in UTF-8", Exit.USAGE, hint=EXPORTED) from None
    except OSError as error:
        raise Explained(
            f"{file} cannot be read", Exit.USAGE, cause=error.strerror or "", hint=EXPORTED
        ) from None
    # Not `splitlines`: what somebody remembered may hold other ends of lines.
    return [_document(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _document(number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        raise Explained(f"line {number} is not JSON", Exit.USAGE, hint=EXPORTED) from None


def _agent_id(api: Api, agent: str | None) -> str | None:
    return str(find_agent(api, agent)["id"]) if agent else None


def _scope(agent: str | None, thread: str | None, user: str | None) -> str:
    if thread and not agent:
        raise Explained("a thread belongs to an agent", Exit.USAGE, hint="add --agent NAME")
    if thread:
        return "thread"
    if user:
        return "user"
    return "agent" if agent else "organisation"


def _similarity(explained: dict[str, Any]) -> str:
    similarity = explained["similarity"]
    return "" if similarity is None else f"{similarity:.2f}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"
