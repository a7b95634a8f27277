"""
The budget gate: the worst case of a call is reserved in every budget above it, and settled after.

Above a call stand the organisation's budget, the agent's, and the limits of its execution and of all the
executions that it is a child of. A call that finds everything set aside by others waits for them to end; it
is refused when what is left could not pay for it even then. An answer without a limit of its own is capped
to what remains, and its step says so.
"""

from collections import OrderedDict
from typing import Any
from uuid import UUID

import orjson

from services.agent_gateway.answers import Answer
from services.agent_gateway.calls import Call
from services.agent_gateway.dialects.rewriting import changed
from services.agent_gateway.records import Active
from services.agent_gateway.refusals import Refused
from services.agent_gateway.spending.amounts import Amount, tightest
from services.agent_gateway.spending.budget_refusals import held, unpriced, used_up
from services.agent_gateway.spending.budget_store import BudgetStore
from services.agent_gateway.spending.holdings import Holdings
from services.agent_gateway.spending.policies import Policies
from services.agent_gateway.spending.prices import Prices
from services.agent_gateway.spending.purses import Purse
from services.agent_gateway.spending.rulebook import OrganisationRules, Rulebook
from services.agent_gateway.spending.spending_store import BudgetRow
from services.agent_gateway.spending.worst_case import UNLIMITED, Ask, ask_of
from services.chassis.clock import Clock
from services.contracts.executions import Relation
from services.contracts.steps import StepKind

REMEMBERED = 20_000
NO_LIMITS = (None, None, None, None)
# How often a waiting call looks again for what other processes have given back.
LOOK_SECONDS = 0.2


class Budgets:
    """Reserves and settles; a gate for every kind of call."""

    def __init__(
        self,
        rulebook: Rulebook,
        policies: Policies,
        prices: Prices,
        store: BudgetStore,
        clock: Clock,
        wait_seconds: float,
    ) -> None:
        self._rulebook = rulebook
        self._policies = policies
        self._prices = prices
        self._store = store
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._above: OrderedDict[UUID, list[BudgetRow]] = OrderedDict()
        self._reserved: dict[UUID, tuple[list[Purse], Amount]] = {}
        self.holdings = Holdings(store, clock)

    async def admit(self, call: Call, body: dict[str, Any]) -> Answer | None:
        """Reserve what the call can cost at most; waits while others hold it, refuses when it is spent."""
        await self._prices.known()
        rules = await self._rulebook.of(call.holder.org_id)
        if call.sent is not None:
            # A fork's edit goes out in the place of what the agent sent, perhaps to another model.
            body = orjson.loads(call.sent)
            self._policies.check_model(rules, call, str(body["model"]))
        if call.changed:
            body = changed(body, call.request_patch)
        purses = [self.holdings.purse(row) for row in await self._budgets(call, rules)]
        if purses:
            await self._reserve(call, self._ask(call, body, rules, purses), purses)
        if call.active is not None:
            # What an earlier refusal did to the agent, it got over.
            call.active.refused = None
        return None

    def settle(self, call: Call) -> None:
        """Count what the call came to, in every budget it had reserved in."""
        reserved = self._reserved.pop(call.id, None)
        if reserved is None:
            return
        purses, amount = reserved
        spent = call.spent
        tool_calls = int(call.kind is StepKind.TOOL)
        came_to = Amount(spent.cost_nano, spent.tokens_in + spent.tokens_out, 1, tool_calls)
        for purse in purses:
            purse.settle(amount, came_to)
        self.holdings.spent()

    async def _budgets(self, call: Call, rules: OrganisationRules) -> list[BudgetRow]:
        rows = [rules.budgets.get(call.holder.org_id), rules.budgets.get(call.holder.agent_id)]
        if call.active is not None and _has_limits(call.active):
            rows += await self._limits_above(call.active)
        return [row for row in rows if row is not None and row.limits != NO_LIMITS]

    async def _limits_above(self, active: Active) -> list[BudgetRow]:
        if active.id not in self._above:
            self._above[active.id] = await self._store.of_execution(active.org_id, active.id)
            if len(self._above) > REMEMBERED:
                self._above.popitem(last=False)
        return self._above[active.id]

    def _ask(self, call: Call, body: dict[str, Any], rules: OrganisationRules, purses: list[Purse]) -> Ask:
        model = str(body.get("model") or "") if call.kind is StepKind.LLM else ""
        scripted = self._prices.is_scripted(model)
        price = None if scripted or call.kind is not StepKind.LLM else self._prices.find(model)
        counts_money = any(purse.limits.nano is not None for purse in purses)
        unknown = call.kind is StepKind.LLM and price is None and not scripted
        if unknown and counts_money and not self._policies.unpriced_allowed(rules.policy, call.holder):
            raise self._refused(call, unpriced(model))
        return ask_of(call, body, price, scripted=scripted)

    async def _reserve(self, call: Call, ask: Ask, purses: list[Purse]) -> None:
        whole = ask.need(ask.longest)
        until = self._clock.monotonic() + self._wait_seconds
        while True:
            if all(purse.covers(whole) for purse in purses):
                room = ask.longest
                break
            room = ask.affordable(tightest(purse.room for purse in purses))
            if room < ask.longest:
                await self._fill(ask, purses)
                purses = [purse for purse in purses if not purse.gone]
                room = ask.affordable(tightest(purse.room for purse in purses)) if purses else UNLIMITED
            if room >= ask.longest or room >= ask.comfortable:
                break
            left = ask.affordable(tightest(purse.left for purse in purses))
            late = self._clock.monotonic() >= until
            if not late and left >= ask.least and not any(purse.empty for purse in purses):
                # Other calls reserved what was just brought, and the budgets have more.
                await self._clock.sleep(0)
                continue
            if late or left < ask.least or not any(purse.awaits for purse in purses):
                if room >= ask.least:
                    break
                reason = used_up if left < ask.least or not late else held
                raise self._refused(call, reason(ask, purses))
            await self.holdings.change(LOOK_SECONDS)
        # Nothing is awaited from here on, so that what was found free is still free.
        amount = self._shortened(call, ask, purses, room)
        for purse in purses:
            purse.reserve(amount)
        self._reserved[call.id] = (purses, amount)

    async def _fill(self, ask: Ask, purses: list[Purse]) -> None:
        least, full = ask.need(ask.least), ask.need(ask.longest)
        for purse in purses:
            if not purse.gone and not purse.covers(full):
                await purse.fill(least, full)

    def _shortened(self, call: Call, ask: Ask, purses: list[Purse], room: int) -> Amount:
        """What to reserve; an answer that could grow beyond it is given that limit."""
        length = min(room, ask.longest)
        grows = ask.field is not None and (length < ask.longest or not ask.known_longest)
        if grows and purses and ask.affordable(tightest(purse.limits for purse in purses)) < UNLIMITED:
            assert ask.field is not None
            call.change(ask.field, length)
        return ask.need(length)

    def _refused(self, call: Call, refusal: Refused) -> Refused:
        if call.active is not None:
            call.active.refused = (refusal.cause, refusal.message)
        return refusal


def _has_limits(active: Active) -> bool:
    return active.limits is not None or (active.relation is Relation.CHILD and active.parent_id is not None)
