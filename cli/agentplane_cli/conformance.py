"""`agentplane conformance`: hold an agent to the contract; which level it reaches, and what it misses."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from agentplane_cli.agents import until_running
from agentplane_cli.api import Api
from agentplane_cli.connection import connect
from agentplane_cli.deploying import upload_folder
from agentplane_cli.failure import Exit, Failure
from agentplane_cli.output import Format, Output, note, show_json
from agentplane_cli.running import ENDED
from agentplane_cli.terminal import columns, say

QUESTION = "Say hello in one sentence."
KILLED = 9
POLL_SECONDS = 0.3

Target = Annotated[str, typer.Argument(metavar="IMAGE|FOLDER", help="An image, or a folder with the agent.")]
Command = Annotated[str | None, typer.Option(help="Command, as a shell would split it.")]
Patience = Annotated[float, typer.Option(help="Seconds each check may take.")]
Keep = Annotated[bool, typer.Option("--keep", help="Leave the agent deployed afterwards.")]


@dataclass(frozen=True)
class Finding:
    """One check: what it asked, at which level of the contract, and what was found."""

    level: str
    check: str
    passed: bool
    found: str


class Unmet(Exception):
    """A check was not met; the message says what was found."""


def conformance(
    context: typer.Context,
    target: Target,
    command: Command = None,
    patience: Patience = 60.0,
    keep: Keep = False,
    output: Output = Format.TABLE,
) -> None:
    """Run an agent through the contract on the platform; ends with 1 when it misses something."""
    api = connect(context)
    bench = _Bench(api, _spec(api, target, command), patience, keep)
    findings = bench.as_service()
    if not findings[0].passed:
        note("it does not serve; looking whether it is a job")
        findings = bench.as_job()
    level = _level(findings)
    if output is Format.JSON:
        show_json({"level": level, "checks": [vars(each) for each in findings]})
    else:
        rows = [("LEVEL", "CHECK", "", "FOUND")]
        rows += [(each.level, each.check, "ok" if each.passed else "missed", each.found) for each in findings]
        for line in columns(rows, ["bold", *("ok" if each.passed else "fail" for each in findings)]):
            say(line)
        say(f"\nreaches {level}" if level else "\nreaches no level")
    missed = [each.check for each in findings if not each.passed]
    if missed:
        text = f"{len(missed)} missed: {', '.join(missed)}; the contract is in docs/agents.md"
        raise Failure(text, Exit.FAILED)


def _spec(api: Api, target: str, command: str | None) -> dict[str, Any]:
    import shlex

    body: dict[str, Any] = {"command": shlex.split(command)} if command else {}
    if Path(target).is_dir():
        upload_folder(api, body, Path(target))
    else:
        body["docker_image"] = target
    return body


def _level(findings: list[Finding]) -> str | None:
    reached = None
    for level in dict.fromkeys(each.level for each in findings):
        if not all(each.passed for each in findings if each.level == level):
            break
        reached = level
    return reached


class _Bench:
    """One agent on the bench: each check is a plain method that says what it found, or raises `Unmet`."""

    def __init__(self, api: Api, spec: dict[str, Any], patience: float, keep: bool) -> None:
        self._api = api
        self._spec = spec
        self._patience = patience
        self._keep = keep
        self._agent = ""
        self._first: dict[str, Any] = {}

    def as_service(self) -> list[Finding]:
        """The checks of L1; the first says whether it serves at all."""
        with self._deployed("service"):
            first = _checked("L1 HTTP", "listens on $PORT and answers its health probe", self._ready)
            if not first.passed:
                return [first]
            return [
                first,
                _checked("L1 HTTP", "answers POST /invoke with an output", self._answers),
                _checked("L1 HTTP", "survives an input of null", self._survives),
                _checked("L1 HTTP", "takes one execution after another", self._repeats),
                _checked("recordable", "its model calls are steps of its execution", self._recorded),
                _checked("recordable", "a replay is answered from the journal", self._replays),
                _checked("drain", "ends by itself when it is told to stop", self._drains),
            ]

    def as_job(self) -> list[Finding]:
        """The checks of L0."""
        with self._deployed("job"):
            return [
                _checked("L0 job", "ends by itself with exit code 0", self._ends),
                _checked("L0 job", "leaves an output", self._answered),
                _checked("recordable", "its model calls are steps of its execution", self._recorded),
                _checked("recordable", "a replay is answered from the journal", self._replays),
            ]

    @contextmanager
    def _deployed(self, mode: str) -> Iterator[None]:
        body = {**self._spec, "name": f"conformance-{secrets.token_hex(4)}", "mode": mode}
        self._agent = self._api.post("/agents", body)["id"]
        try:
            yield
        finally:
            if not self._keep:
                with suppress(Failure):
                    self._api.delete(f"/agents/{self._agent}")

    def _ready(self) -> str:
        try:
            until_running(self._api, self._agent, self._patience)
        except Failure as failure:
            raise Unmet(str(failure).splitlines()[0]) from failure
        return "ready"

    def _answers(self) -> str:
        self._first = self._run(QUESTION)
        return self._answered()

    def _answered(self) -> str:
        if self._first.get("output") is None:
            raise Unmet("there is no output")
        return f"{str(self._first['output'])[:60]!r}"

    def _survives(self) -> str:
        before = self._incarnation()
        ended = self._run(None, whatever=True)
        time.sleep(1)
        if self._incarnation() != before:
            raise Unmet("its process died")
        return f"{ended['status']}, and the process lives"

    def _repeats(self) -> str:
        started = [self._start(QUESTION) for _ in range(3)]
        ended = [self._wait(each) for each in started]
        failed = [each for each in ended if each["status"] != "succeeded"]
        if failed:
            raise Unmet(f"{len(failed)} of 3 {failed[0]['status']}: {_why(failed[0])}")
        return "3 of 3 succeeded"

    def _recorded(self) -> str:
        if not self._first.get("id"):
            raise Unmet("there is no execution to look at")
        count = self._first["steps"]
        # An agent may do without a model; one that calls it past the gateway cannot be recorded.
        return f"{count} steps" if count else "it called no model and no tool through the gateway"

    def _replays(self) -> str:
        if not self._first.get("steps"):
            return "nothing to replay"
        (replay,) = self._api.post(f"/time-travel/executions/{self._first['id']}/replay", {})
        ended = self._wait(replay["id"])
        if ended["diverged_at"] is not None:
            raise Unmet(f"it diverged at step {ended['diverged_at']}: {_why(ended)}")
        if ended["status"] != "succeeded":
            raise Unmet(f"{ended['status']}: {_why(ended)}")
        return f"{ended['steps']} steps, {ended['cost_nano']} nano-dollars"

    def _drains(self) -> str:
        self._api.post(f"/agents/{self._agent}/stop")
        deadline = time.monotonic() + self._patience + 45
        while time.monotonic() < deadline:
            replicas = [each for each in self._instances() if each["owner_kind"] == "replica"]
            if all(each["state"] == "exited" for each in replicas):
                how = replicas[0]["last_exit"] if replicas else None
                if how and how["signal"] == KILLED:
                    raise Unmet("it had to be killed after the grace")
                return f"exit code {how['code']}" if how and how["code"] is not None else "ended"
            time.sleep(POLL_SECONDS)
        raise Unmet("it does not end")

    def _ends(self) -> str:
        self._first = self._run(QUESTION)
        return f"succeeded in attempt {self._first['attempt']}"

    def _run(self, given: Any, *, whatever: bool = False) -> dict[str, Any]:
        ended = self._wait(self._start(given))
        if ended["status"] != "succeeded" and not whatever:
            raise Unmet(f"{ended['status']}: {_why(ended)}")
        return ended

    def _start(self, given: Any) -> str:
        body = {"input": given, "max_attempts": 1, "timeout_seconds": max(1, int(self._patience))}
        return str(self._api.post(f"/agents/{self._agent}/executions", body)["id"])

    def _wait(self, execution_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + self._patience + 30
        while True:
            found: dict[str, Any] = self._api.get(
                f"/executions/{execution_id}/wait", timeout=60, timeout_seconds=20
            )
            if found["status"] in ENDED or time.monotonic() > deadline:
                return found

    def _instances(self) -> list[dict[str, Any]]:
        return list(self._api.get(f"/agents/{self._agent}/instances"))

    def _incarnation(self) -> int:
        return max(int(each["incarnation"]) for each in self._instances() if each["owner_kind"] == "replica")


def _checked(level: str, name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(level, name, True, check())
    except Unmet as unmet:
        return Finding(level, name, False, str(unmet))


def _why(execution: dict[str, Any]) -> str:
    error = execution["error"]
    return f"{error['cause']}: {error['message'][:200]}" if error else str(execution["cause"])
