"""
The policy gate: which models and which tools an agent may call.

Two policies count, the organisation's and the agent's, and a call must pass both. The agent's came with its
key; the organisation's is less than a second old. Model calls are decided here as a gate; whoever carries a
tool call asks `decide_tool`, because a call that needs a person's approval is held and not refused.
"""

from collections import OrderedDict
from typing import Any

import orjson

from services.agent_gateway.answers import Answer
from services.agent_gateway.calls import Call
from services.agent_gateway.records import Holder
from services.agent_gateway.refusals import Refused
from services.agent_gateway.spending.rulebook import OrganisationRules, Rulebook
from services.agent_gateway.spending.rules import CompiledPolicy, Decision, stricter
from services.chassis.patterns import Pattern
from services.contracts.agents import Cause
from services.contracts.spending import Policy
from services.contracts.steps import Effect, StepKind

REMEMBERED = 2_000
NO_POLICY = Decision("allow", "no policy")


class Policies:
    """Decides by both policies; a gate for model calls."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._compiled: OrderedDict[bytes, CompiledPolicy] = OrderedDict()

    async def admit(self, call: Call, body: dict[str, Any]) -> Answer | None:
        """Refuse whatever a stopped organisation's agents ask, and models that a policy does not name."""
        rules = await self._rulebook.of(call.holder.org_id)
        if rules.stop is not None:
            message = f"The organisation's agents are stopped: {rules.stop.reason}"
            raise Refused(403, "stopped", message, Cause.CANCELLED_BY_USER)
        if call.kind is StepKind.LLM and call.model is not None:
            self.check_model(rules, call, call.model)
        return None

    def check_model(self, rules: OrganisationRules, call: Call, model: str) -> None:
        """Refuse a model that a policy does not name."""
        for policy in (rules.policy, self._of_agent(call.holder)):
            if policy is not None and not policy.allows_model(model):
                message = f"The {policy.whose}'s policy does not allow the model {model[:200]!r}."
                if call.active is not None:
                    call.active.refused = (Cause.POLICY_DENIED, message)
                raise Refused(403, "policy_denied", message, Cause.POLICY_DENIED, "model")

    def settle(self, call: Call) -> None:
        """Nothing was held."""

    async def decide_tool(
        self, holder: Holder, server: str, tool: str, arguments: Any, effect: Effect | None
    ) -> Decision:
        """
        What becomes of a call of a tool: `allow`, `deny` or `approve`, by the stricter of both policies.

        `arguments` is the call's arguments, parsed; `effect` is what the tool does to the world, null if
        unknown. Answers from memory but for the first call of an organisation.
        """
        rules = await self._rulebook.of(holder.org_id)
        decision = NO_POLICY
        for policy in (rules.policy, self._of_agent(holder)):
            if policy is not None:
                found = policy.decide_tool(f"{server}/{tool}", arguments, effect)
                decision = found if decision is NO_POLICY else stricter(decision, found)
        return decision

    async def redactions(self, holder: Holder) -> list[Pattern]:
        """What both policies want replaced in whatever is stored of the holder's calls."""
        rules = await self._rulebook.of(holder.org_id)
        policies = (rules.policy, self._of_agent(holder))
        return [pattern for policy in policies if policy is not None for pattern in policy.redact]

    def unpriced_allowed(self, organisation: CompiledPolicy | None, holder: Holder) -> bool:
        """Whether a model without a price may be called under a cost budget."""
        for policy in (organisation, self._of_agent(holder)):
            if policy is not None and policy.policy.unpriced is not None:
                return policy.policy.unpriced == "allow"
        return False

    def _of_agent(self, holder: Holder) -> CompiledPolicy | None:
        if not holder.policy:
            return None
        key = orjson.dumps(holder.policy)
        known = self._compiled.get(key)
        if known is None:
            known = CompiledPolicy(Policy.model_validate(holder.policy), "agent")
            self._compiled[key] = known
            if len(self._compiled) > REMEMBERED:
                self._compiled.popitem(last=False)
        return known
