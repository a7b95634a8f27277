"""Budgets: never spent beyond, nearly all usable, freed by a crash, added up to every ancestor."""

import asyncio
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from benchmarks.report import Report
from services.chassis.errors import Unavailable
from services.contracts.agents import Cause
from services.contracts.executions import Limits, NewExecution, Relation
from services.contracts.spending import Policy
from tests.services.agent_gateway.conftest import World, WorldMaker, eventually
from tests.services.agent_gateway.spending.conftest import DOLLAR, Paid, set_price, tell
from tests.services.agent_gateway.spending.paid_upstream import OUTPUT_NANO, PaidUpstream
from tests.soak import count, recorded


@pytest.fixture(scope="module")
def figures() -> Iterator[Report]:
    tests = "tests/services/agent_gateway/spending/test_budgets.py -m drill"
    with recorded("budgets", "64 calls at once against $1.00", tests) as report:
        yield report


@pytest.mark.drill
@pytest.mark.parametrize("max_tokens", [800, None])
async def test_64_calls_at_once_never_spend_more_than_a_dollar(
    paid: Paid, max_tokens: int | None, figures: Report
) -> None:
    paid.upstream.seed = count(1, 7)
    await paid.budget(cost_nano=DOLLAR)
    agent = await paid.job()
    more: dict[str, Any] = {} if max_tokens is None else {"max_tokens": max_tokens}
    answers = await agent.spree(count(2_000, 20_000), 64, **more)
    spent = await paid.spent()
    assert spent == paid.upstream.billed_nano
    refused = [body for status, body in answers if status != 200]
    assert refused and {body["error"]["code"] for body in refused} == {"budget_exceeded"}
    assert paid.upstream.most_at_once > 1
    assert 0.9 * DOLLAR <= spent <= DOLLAR
    asked = f"max_tokens {max_tokens}" if max_tokens else "without max_tokens"
    figures.add(f"{asked}: spent, of $1.00", spent / DOLLAR, "$", at_most=1)
    figures.add(f"{asked}: usable", spent / DOLLAR, "", at_least=0.9)
    figures.add(f"{asked}: calls that were answered", sum(status == 200 for status, _ in answers), "")
    figures.add(f"{asked}: calls that were refused", sum(status != 200 for status, _ in answers), "")
    assert (await paid.world.client.get(paid.world.org_id, agent.execution_id)).cost_nano == spent


async def test_a_refusal_is_not_retried_and_is_a_failed_step(paid: Paid) -> None:
    await paid.budget(cost_nano=1_000)
    agent = await paid.job()
    status, body, headers = await agent.call(max_tokens=100)
    assert (status, body["error"]["code"], headers["x-should-retry"]) == (403, "budget_exceeded", "false")
    assert "organisation's limit of $0.000001 leaves $0.000001" in body["error"]["message"]
    step = await agent.step(1)
    assert (step.status, step.cause, step.http_status) == ("failed", Cause.BUDGET_EXCEEDED, 403)
    assert paid.upstream.requests == []


async def test_an_answer_without_a_limit_is_capped_to_what_remains(paid: Paid) -> None:
    await paid.budget(cost_nano=100_000_000)
    agent = await paid.job()
    assert (await agent.call())[0] == 200
    sent = paid.upstream.requests[0]["max_tokens"]
    assert 9_000 < sent < 10_000
    step = await agent.step(1)
    assert "max_tokens" not in step.request and step.request_text.count("max_tokens") == 0
    assert await paid.spent() <= 100_000_000


async def test_a_rich_budget_changes_no_request(paid: Paid) -> None:
    await paid.budget(cost_nano=100 * DOLLAR)
    agent = await paid.job()
    assert (await agent.call())[0] == 200
    assert "max_tokens" not in paid.upstream.requests[0]
    assert await paid.spent() <= 17_000 * OUTPUT_NANO


@pytest.mark.parametrize(
    ("limits", "allowed"),
    [
        (Limits(steps=3), 3),
        (Limits(tokens=2_000), 3),
        (Limits(cost_nano=12_000_000), 2),
        (Limits(tool_calls=0), 5),
    ],
)
async def test_an_execution_has_limits_of_its_own(paid: Paid, limits: Limits, allowed: int) -> None:
    paid.upstream.share = (1.0, 1.0)
    agent, free = await paid.job(limits), await paid.job()
    statuses = [(await agent.call(max_tokens=500))[0] for _ in range(5)]
    assert statuses == [200] * allowed + [403] * (5 - allowed)
    assert (await free.call(max_tokens=500))[0] == 200


async def test_a_child_spends_of_every_ancestor(paid: Paid) -> None:
    paid.upstream.share = (1.0, 1.0)
    await paid.budget(cost_nano=DOLLAR)
    root = await paid.job(Limits(steps=4))
    child = await paid.job(relation=Relation.CHILD, parent_execution_id=root.execution_id, parent_step=1)
    grandchild = await paid.job(
        Limits(steps=1), relation=Relation.CHILD, parent_execution_id=child.execution_id, parent_step=1
    )
    fork = await paid.job(relation=Relation.FORK, parent_execution_id=root.execution_id, parent_step=1)
    statuses = [(await each.call(max_tokens=100))[0] for each in (root, child, grandchild, grandchild, child)]
    assert statuses == [200, 200, 200, 403, 200]
    assert (await root.call(max_tokens=100))[0] == 403
    assert (await fork.call(max_tokens=100))[0] == 200
    assert await paid.spent() == paid.upstream.billed_nano


async def test_an_execution_that_fails_for_its_budget_says_so(paid: Paid) -> None:
    agent = await paid.world.agent()
    request = NewExecution(
        input={"do": "model", "model": "paid", "messages": [{"role": "user", "content": "x"}], "must": True},
        limits=Limits(cost_nano=1),
    )
    ended = await paid.world.run(request=request)
    assert (ended.status, ended.cause, ended.attempt) == ("failed", Cause.BUDGET_EXCEEDED, 1)
    assert ended.error is not None and "limit of" in ended.error.message
    assert agent.process.poll() is None


async def test_raising_a_budget_lets_calls_pass_again(paid: Paid) -> None:
    agent = await paid.job()
    await paid.budget(paid.world.agent_id, cost_nano=0)
    assert (await agent.call(max_tokens=10))[0] == 403
    await paid.budget(paid.world.agent_id, cost_nano=DOLLAR)
    await eventually(lambda: _passes(agent), 2)
    await paid.spending.drop_budget(paid.world.org_id, paid.world.agent_id)
    assert await paid.spending.budgets(paid.world.org_id) == []


async def _passes(agent: Any) -> bool:
    return bool((await agent.call(max_tokens=10))[0] == 200)


async def test_an_unpriced_model_is_refused_under_a_cost_budget(paid: Paid) -> None:
    agent = await paid.job()
    assert (await agent.call("unknown"))[0] == 200
    step = await agent.step(1)
    assert (step.priced, step.cost_nano) == (False, 0) and step.tokens_out > 0
    await paid.budget(cost_nano=DOLLAR)
    status, body, _ = await agent.call("unknown")
    assert (status, body["error"]["code"]) == (403, "model_unpriced")
    await paid.spending.set_policy(paid.world.org_id, Policy(unpriced="allow"), "user:t")
    assert (await agent.call("unknown"))[0] == 200
    assert (await agent.call("paid", max_tokens=5))[0] == 200
    assert (await agent.step(4)).priced


async def test_a_stream_that_the_agent_leaves_is_paid_for(paid: Paid) -> None:
    await paid.budget(cost_nano=DOLLAR)
    agent = await paid.job()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await agent.call("paid-drip", stream=True, max_tokens=50)
    await eventually(lambda: paid.spent())
    step = await eventually(lambda: _left(agent))
    assert step.estimated and step.tokens_in > 10 and step.cost_nano == await paid.spent()


async def _left(agent: Any) -> Any:
    page = await agent.world.journal.timeline(agent.world.org_id, agent.execution_id)
    return page.items[0] if page.items else None


async def test_two_gateways_share_a_budget(
    make_world: WorldMaker, upstream: tuple[PaidUpstream, str], paid: Paid
) -> None:
    other = await _beside(make_world, upstream, paid)
    await paid.budget(cost_nano=DOLLAR)
    one, two = await paid.job(), await paid.job()
    two.world = other
    await asyncio.gather(one.spree(1_000, 32, max_tokens=500), two.spree(1_000, 32, max_tokens=500))
    await tell(other)
    spent = await paid.spent()
    assert spent == paid.upstream.billed_nano
    assert 0.9 * DOLLAR <= spent <= DOLLAR


async def test_a_crash_frees_what_was_held(
    make_world: WorldMaker, upstream: tuple[PaidUpstream, str], paid: Paid
) -> None:
    other = await _beside(make_world, upstream, paid)
    await paid.budget(cost_nano=100_000_000)
    agent, dead = await paid.job(), await paid.job()
    dead.world = other
    paid.upstream.released.clear()
    hanging = asyncio.create_task(dead.call(max_tokens=9_000))
    await eventually(lambda: paid.upstream.at_once == 1)

    async def away(*_: Any) -> None:
        raise Unavailable("killed")

    # As after a kill: it tells nothing and renews nothing any more.
    other.gateway.spending.budget_store.hold = away  # type: ignore[method-assign, assignment]
    waiting = asyncio.create_task(agent.call(max_tokens=9_000))
    await asyncio.sleep(1)
    assert not waiting.done() and paid.upstream.at_once == 1
    # The hold is good for five seconds after it was renewed last.
    await eventually(lambda: paid.upstream.at_once == 2)
    paid.upstream.released.set()
    assert (await waiting)[0] == (await hanging)[0] == 200


async def _beside(make_world: WorldMaker, upstream: tuple[PaidUpstream, str], paid: Paid) -> World:
    knobs = {"default_route": "openai", "openai_api_key": "k", "openai_url": upstream[1]}
    made: World = await make_world(beside=paid.world, **knobs, budget_wait_seconds=5, budget_hold_seconds=5)
    return made


async def test_stock_clients_do_not_ask_again(paid: Paid) -> None:
    await set_price(paid.world, "claude-paid")
    await paid.budget(cost_nano=1_000)
    agent = await paid.job()
    openai_client = openai.AsyncOpenAI(api_key=agent.key, base_url=f"{paid.world.url}/v1", max_retries=3)
    with pytest.raises(openai.PermissionDeniedError, match="leaves"):
        await openai_client.chat.completions.create(
            model="paid", max_tokens=10, messages=[{"role": "user", "content": "x"}]
        )
    claude = anthropic.AsyncAnthropic(api_key=agent.key, base_url=paid.world.url, max_retries=3)
    with pytest.raises(anthropic.PermissionDeniedError, match="leaves"):
        await claude.messages.create(
            model="claude-paid", max_tokens=10, messages=[{"role": "user", "content": "x"}]
        )
    page = await paid.world.journal.timeline(paid.world.org_id, agent.execution_id)
    assert [step.cause for step in page.items] == [Cause.BUDGET_EXCEEDED] * 2


@pytest.mark.drill
async def test_a_plentiful_budget_holds_nobody_up(paid: Paid) -> None:
    paid.upstream.seconds = 0
    await paid.budget(cost_nano=1_000 * DOLLAR)
    await paid.budget(paid.world.agent_id, cost_nano=1_000 * DOLLAR)
    agent = await paid.job(timeout_seconds=600)
    asked: list[int] = []
    store = paid.world.gateway.spending.budget_store
    hold = store.hold

    async def counted(*given: Any) -> Any:
        asked.append(1)
        return await hold(*given)

    store.hold = counted  # type: ignore[method-assign, assignment]
    answers = await agent.spree(count(400, 4_000), 40, max_tokens=50)
    assert {status for status, _ in answers} == {200}
    # Most calls ask nobody: a purse is filled for many at a time.
    assert len(asked) < len(answers)
    assert await paid.spent() == paid.upstream.billed_nano
