"""
`kill -9` of the gateway while agents are at work: who follows an execution misses nothing and sees nothing
twice, no model is asked again for what was recorded, and what was held of a budget is free again.

A sample runs in the suite, the full count in `make soak`.
"""

import json
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from services.chassis.ids import new_id
from tests.flows.conftest import Provided
from tests.flows.drivers import deployed
from tests.flows.faults import SEED
from tests.flows.ledger import AGENTS, describe, exported
from tests.flows.live import Stranger, until
from tests.soak import count, recorded

pytestmark = [pytest.mark.drill, pytest.mark.xdist_group("provided")]

KILLS = count(3, 20)
TURNS = count(20, 100)
TOKENS = count(50, 100)


class Follower:
    """A client of the event stream: where it breaks off, it goes on behind the last event it saw."""

    def __init__(self, stranger: Stranger, execution_id: str) -> None:
        self._stranger, self._path = stranger, f"/api/v1/executions/{execution_id}/events"
        self.seen: list[Any] = []
        self.connections = 0

    def events(self) -> Iterator[Any]:
        """Every event until the execution has ended."""
        while not self._ended():
            try:
                yield from self._connected()
            except httpx.HTTPError:
                continue

    def _ended(self) -> bool:
        return bool(self.seen) and self.seen[-1]["status"] in {"succeeded", "failed", "cancelled", "expired"}

    def _connected(self) -> Iterator[Any]:
        last = str(self.seen[-1]["seq"]) if self.seen else "0"
        headers = {"Accept": "text/event-stream", "Last-Event-ID": last}
        with self._stranger.http.stream("GET", self._path, headers=headers, timeout=20) as answer:
            if answer.status_code != 200:
                return
            self.connections += 1
            for line in answer.iter_lines():
                if line == "event: error":
                    return
                if line.startswith("data:"):
                    self.seen.append(json.loads(line.removeprefix("data:")))
                    yield self.seen[-1]


@pytest.fixture
def streamer(provided: Provided) -> Iterator[Any]:
    agent = deployed(provided.stranger, "process", AGENTS / "streamer", "python3", "agent.py")
    yield agent
    provided.provider.keep_waiting(None)
    provided.stranger.http.delete(f"/api/v1/agents/{agent['id']}")


def test_an_event_stream_has_no_gap_and_no_repeat(provided: Provided, streamer: Any) -> None:
    chance, mark = random.Random(SEED), f"drill-{new_id().hex}"
    provider, stranger = provided.provider, provided.stranger
    # The last turn is not answered before every kill was: the execution must not end too early.
    provider.keep_waiting(f"{mark} turn {TURNS - 1}.")
    asked = {"input": {"mark": mark, "turns": TURNS, "tokens": TOKENS}, "timeout_seconds": 7_200}
    execution = stranger.post(f"/api/v1/agents/{streamer['id']}/executions", asked)
    follower = Follower(stranger, execution["id"])
    killed: dict[int, int] = {}
    reached, planned, alive = 0, chance.randrange((TURNS - 1) * TOKENS), False
    for event in follower.events():
        reached = reached + 1 if event["type"] == "token" else 0
        # What was stored before the last kill is still read; the next one is for the process that took over.
        alive = alive or event["status"] == "running"
        if len(killed) < KILLS and alive and reached > planned:
            killed[provided.platform.kill("data-path")] = reached
            planned, alive = chance.randrange((TURNS - 1) * TOKENS), False
            if len(killed) == KILLS:
                provider.keep_waiting(None)
    story = describe({"seed": SEED, "killed": killed, "last": follower.seen[-1]})
    assert len(killed) == KILLS, story
    assert sum(each["status"] == "running" for each in follower.seen) > KILLS, story
    _every_event_once_and_in_order(follower.seen, story)
    steps = exported(stranger, execution)
    live = [each for each in steps if each["served_from"] == "live" and each["status"] == "succeeded"]
    calls = len(provider.saying(mark))
    assert TURNS <= calls <= len(live) + KILLS, f"{calls} calls, {len(live)} recorded: {story}"
    tests = "tests/flows/test_killed_gateway.py"
    with recorded("killed_gateway", "the gateway killed under an execution that streams", tests) as report:
        report.add("kills", KILLS, "", at_least=KILLS)
        report.add("events of the attempt that succeeded", TURNS * TOKENS, "")
        report.add("events the client saw, each once and in order", len(follower.seen), "")
        report.add("connections of the client", follower.connections, "")
        report.add("calls recorded", len(live), "")
        report.add("calls at the provider", calls, "", at_most=len(live) + KILLS)


def _every_event_once_and_in_order(seen: list[Any], story: str) -> None:
    assert [each["seq"] for each in seen] == list(range(1, len(seen) + 1)), story
    attempts: list[list[int]] = [[]]
    for each in seen:
        if each["type"] == "token":
            attempts[-1].append(each["data"]["turn"] * TOKENS + each["data"]["token"])
        elif each["status"] == "running":
            attempts.append([])
    # Each attempt begins again; what the client has of it is its beginning, without a gap. The last is whole.
    assert all(tokens == list(range(len(tokens))) for tokens in attempts), story
    assert len(attempts[-1]) == TURNS * TOKENS, story
    assert seen[-1]["status"] == "succeeded", story


def test_what_a_killed_gateway_held_is_free_again(provided: Provided, streamer: Any) -> None:
    """A budget with room for one call's worst case, and a call at the provider when the gateway dies."""
    provider, stranger, mark = provided.provider, provided.stranger, f"held-{new_id().hex}"
    agent = f"/api/v1/agents/{streamer['id']}"
    price = {"input_nano": 1_000, "output_nano": 10_000, "max_output_tokens": 1_000}
    stranger.post("/api/v1/prices", {"model": "gpt-4o-mini", **price})
    budget = f"/api/v1/budgets/agents/{streamer['id']}"
    room = 1_300 * price["output_nano"]
    assert stranger.http.put(budget, json={"cost_nano": room}).status_code == 200

    def show() -> Any:
        return stranger.get(f"/api/v1/executions/{hanging['id']}"), stranger.get(budget)

    def spent() -> int:
        return int(stranger.get(budget)[0]["spent_nano"])

    first = stranger.run(streamer["id"], {"mark": mark, "turns": 1, "tokens": 1})
    assert first["status"] == "succeeded", describe(first)
    paid = until(lambda: spent() or None, 20, lambda: "nothing was told of the spending")
    assert paid == first["cost_nano"] > 0

    provider.keep_waiting(f"{mark} turn 1.")
    hanging = stranger.post(f"{agent}/executions", {"input": {"mark": mark, "turns": 2, "tokens": 1}})
    until(lambda: provider.saying(f"{mark} turn 1.") or None, 30, lambda: "the call does not arrive")
    provided.platform.kill("data-path")
    # It is taken up again, asks again, and finds room, for the share of the dead gateway has come back.
    until(lambda: _asked(provider, f"{mark} turn 1.", 2), 120, lambda: describe(show()))
    provider.keep_waiting(None)
    # Neither was shortened to what another's share would have left.
    assert len({each.received for each in provider.saying(f"{mark} turn 1.")}) == 1
    ended = stranger.finished(hanging["id"], 120)
    assert (ended["status"], ended["attempt"]) == ("succeeded", 2), describe(ended)
    steps = stranger.get(f"/api/v1/executions/{hanging['id']}/steps")["items"]
    cost = sum(each["cost_nano"] for each in steps)
    # Each recorded call counts once; of the one nobody could record, nothing.
    until(lambda: (spent() == paid + cost) or None, 20, lambda: f"{spent()} of {paid} + {cost}")
    assert ended["cost_nano"] == cost <= room


def _asked(provider: Any, text: str, times: int) -> bool | None:
    return len(provider.saying(text)) >= times or None
