"""Bulk forks on real processes: an estimate first, then a fork of each, and what became of it."""

from collections.abc import Callable
from typing import Any

import pytest

from services.agent_gateway.bulk.bulk_store import BulkStore, NewItem
from services.chassis.errors import Invalid, NotFound
from services.chassis.ids import new_id
from services.contracts.bulk_forks import (
    BulkFork,
    BulkForkItem,
    BulkForksClient,
    Estimate,
    MakeBulkFork,
    NewBulkFork,
)
from services.contracts.executions import Execution
from services.contracts.spending import SetPrice, SpendingClient, StopOrganisation
from services.contracts.step_search import SearchSteps
from tests.platform import make_organisation
from tests.services.agent_gateway.conftest import eventually
from tests.services.agent_gateway.replay.conftest import Travel, travel
from tests.soak import count, recorded

__all__ = ["travel"]
GOOD = {"kind": "contains", "value": "good"}


class Bulk:
    """Bulk forks of a travelling organisation."""

    def __init__(self, travel: Travel) -> None:
        self.travel, self.org_id = travel, travel.world.org_id
        self.client = travel.world.platform.client(BulkForksClient, "backend")

    def new(self, *sources: Execution, **more: Any) -> NewBulkFork:
        selection = {"ids": [each.id for each in sources]}
        return NewBulkFork(**{"selection": selection, "place": {"rule": "last_model_call"}, **more})

    async def begun(self, new: NewBulkFork) -> BulkFork:
        return await self.client.create(self.org_id, MakeBulkFork(new=new, created_by="user:test"))

    async def ended(self, begun: BulkFork) -> BulkFork:
        return await self.until(begun, lambda now: now.finished_at is not None)

    async def until(self, begun: BulkFork, holds: Callable[[BulkFork], bool]) -> BulkFork:
        async def looked() -> BulkFork | None:
            now = await self.client.get(self.org_id, begun.id)
            return now if holds(now) else None

        found: BulkFork = await eventually(looked, 90)
        return found

    async def items(self, begun: BulkFork, **wanted: Any) -> list[BulkForkItem]:
        return list((await self.client.items(self.org_id, begun.id, **wanted)).items)


async def test_every_fork_gets_its_verdict(travel: Travel) -> None:
    bulk = Bulk(travel)
    await travel.replica()
    failing = await travel.run({"turns": 2})
    passing = await travel.run({"turns": 2, "model": "better"})
    clock = await travel.run({"turns": 2, "clock": 1})
    prices = travel.world.platform.client(SpendingClient)
    await prices.set_price(SetPrice(model="better", input_nano=100, output_nano=1000), "user:test")
    new = bulk.new(failing, passing, clock, model="better", expect=GOOD)
    estimate = await bulk.client.estimate(bulk.org_id, new)
    assert estimate == Estimate(executions=3, model_calls=3, tokens_in=30, tokens_out=15, cost_nano=3 * 6000)
    before = await travel.raw(failing, [1, 2])
    done = await bulk.ended(await bulk.begun(new))
    assert (done.state, done.states, done.estimate) == ("finished", {"done": 3}, estimate)
    verdicts = {each.source_execution_id: each.verdict for each in await bulk.items(done)}
    assert verdicts == {failing.id: "fixed", passing.id: "unchanged", clock.id: "diverged"}
    assert done.verdicts == {"fixed": 1, "unchanged": 1, "diverged": 1}
    # Two forks made one live call each; the third left its recording before it.
    assert (done.cost_nano, done.tokens_in) == (2 * 6000, 20)
    (fixed,) = await bulk.items(done, verdict="fixed")
    fork = await travel.world.client.get(bulk.org_id, fixed.fork_execution_id)  # type: ignore[arg-type]
    assert (fork.parent_execution_id, fork.parent_step, fork.created_by) == (failing.id, 2, "user:test")
    assert await travel.raw(failing, [1, 2]) == before

    page = await bulk.client.listed(bulk.org_id, limit=1)
    assert [each.id for each in page.items] == [done.id]
    other = await make_organisation(travel.world.platform.db)
    with pytest.raises(NotFound):
        await bulk.client.get(other, done.id)
    assert not (await bulk.client.listed(other)).items


@pytest.mark.drill
async def test_an_estimate_is_within_a_fifth_of_what_it_comes_to(travel: Travel) -> None:
    """Forked from the first call on, another model and a longer prompt; every answer has its own length."""
    bulk, executions, turns = Bulk(travel), count(4, 30), 4
    travel.upstream.talkative = True
    await travel.replica()
    sources = [await travel.run({"turns": turns}) for _ in range(executions)]
    prices = travel.world.platform.client(SpendingClient)
    await prices.set_price(SetPrice(model="better", input_nano=100, output_nano=1000), "user:test")
    edit = {
        "path": "/messages/0/content",
        "value": "Walk, and say at each step what you see.",
        "every_call": True,
    }
    place = {"rule": "first_model_call"}
    new = bulk.new(*sources, model="better", edits=[edit], place=place, on_divergence="live")
    estimate = await bulk.client.estimate(bulk.org_id, new)
    assert estimate.model_calls == executions * turns
    done = await bulk.ended(await bulk.begun(new))
    assert done.verdicts == {"unchanged": executions}
    assert abs(estimate.cost_nano - done.cost_nano) <= done.cost_nano / 5, (estimate, done)
    tests = "tests/services/agent_gateway/bulk/test_bulk_forks.py -m drill"
    with recorded("bulk_estimate", "a bulk fork's estimate beside what it came to", tests) as report:
        report.add("executions", executions, "")
        report.add("estimated", estimate.cost_nano / 1e9, "$")
        report.add("came to", done.cost_nano / 1e9, "$")
        off = abs(estimate.cost_nano - done.cost_nano) / done.cost_nano
        report.add("off by", 100 * off, "%", at_most=20)


async def test_a_search_says_which_and_where(travel: Travel) -> None:
    bulk = Bulk(travel)
    await travel.replica()
    first = await travel.run({"turns": 3})
    await travel.run({"turns": 1, "model": "better"})
    words = {"steps": SearchSteps(model="m", text="step 3"), "limit": 10}
    new = NewBulkFork(selection=words, place={"rule": "match"}, model="worse", expect=GOOD)
    done = await bulk.ended(await bulk.begun(new))
    (item,) = await bulk.items(done)
    assert (item.source_execution_id, item.step, item.verdict) == (first.id, 3, "still_failing")
    with pytest.raises(Invalid, match="no execution"):
        await bulk.begun(NewBulkFork(selection={"steps": SearchSteps(model="unheard of")}))


async def test_a_fork_that_was_written_down_is_made_once(travel: Travel) -> None:
    """As after a crash between the row and its execution: the gateway that comes finds only rows."""
    bulk = Bulk(travel)
    await travel.replica()
    source = await travel.run({"turns": 2})
    store, bulk_id, fork_id = BulkStore(travel.world.platform.db), new_id(), new_id()
    db = travel.world.platform.db
    items = [NewItem(source, 2, 0)]
    new = bulk.new(source, model="better", expect=GOOD)
    await store.create(bulk.org_id, bulk_id, new, Estimate(), items, "user:test")
    await db.execute(
        "UPDATE bulk_fork_items SET state = 'running', fork_id = $2 WHERE bulk_id = $1 AND fork_id IS NULL",
        bulk_id,
        fork_id,
    )
    done = await bulk.ended(await bulk.client.get(bulk.org_id, bulk_id))
    made = await db.fetch("SELECT id FROM executions WHERE parent_execution_id = $1", source.id)
    (item,) = await bulk.items(done)
    assert item.verdict == "fixed" and [row["id"] for row in made] == [item.fork_execution_id]


async def test_a_budget_holds_for_all_of_them(travel: Travel) -> None:
    bulk = Bulk(travel)
    await travel.replica()
    sources = [await travel.run({"turns": 2}) for _ in range(2)]
    prices = travel.world.platform.client(SpendingClient)
    await prices.set_price(SetPrice(model="better", input_nano=100, output_nano=1000), "user:test")
    new = bulk.new(*sources, model="better", expect=GOOD, concurrency=1, budget_nano=1_000_000)
    done = await bulk.ended(await bulk.begun(new))
    assert (done.verdicts, done.cost_nano) == ({"fixed": 2}, 2 * 6000)
    get, items = travel.world.client.get, await bulk.items(done)
    limits = [(await get(bulk.org_id, each.fork_execution_id)).limits for each in items]  # type: ignore[arg-type]
    assert [each.cost_nano for each in limits if each] == [1_000_000, 1_000_000 - 6000]

    # Too little for one call: its worst case is set aside before it leaves, so nothing is spent.
    done = await bulk.ended(await bulk.begun(new.model_copy(update={"budget_nano": 1_000})))
    assert (done.verdicts, done.cost_nano) == ({"error": 2}, 0)
    reasons = [each.reason or "" for each in await bulk.items(done)]
    assert all(reason.startswith("budget_exceeded") for reason in reasons), reasons


async def test_a_cancelled_one_begins_no_more(travel: Travel) -> None:
    bulk = Bulk(travel)
    await travel.replica()
    sources = [await travel.run({"turns": 1}) for _ in range(3)]
    travel.world.neighbours.on_job = None
    begun = await bulk.begun(bulk.new(*sources, concurrency=1))
    await bulk.until(begun, lambda now: now.states.get("running") == 1)
    assert (await bulk.client.cancel(bulk.org_id, begun.id)).cancel_requested
    done = await bulk.ended(begun)
    assert (done.state, done.states) == ("cancelled", {"done": 1, "skipped": 2})
    (ended,) = await bulk.items(done, state="done")
    assert (ended.verdict, ended.fork_cause) == ("error", "cancelled_by_user")


async def test_a_stopped_organisation_forks_nothing(travel: Travel) -> None:
    bulk = Bulk(travel)
    await travel.replica()
    source = await travel.run({"turns": 1})
    travel.world.neighbours.on_job = None
    begun = await bulk.begun(bulk.new(source, source, concurrency=1))
    client = travel.world.platform.client(SpendingClient)
    await client.stop(bulk.org_id, StopOrganisation(reason="enough"), "user:test")
    done = await bulk.ended(begun)
    assert done.state in {"stopped", "finished"} and set(done.verdicts) <= {"error"}
    with pytest.raises(Exception, match="stopped"):
        await bulk.begun(bulk.new(source))
