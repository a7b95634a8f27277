"""What agents may do and spend: policies, budgets, prices, and the stop of a whole organisation."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from services.chassis.client import Client
from services.chassis.contract import Contract, Request, Timestamp
from services.chassis.patterns import Pattern, glob

# A billion dollars, and as many tokens: far above every budget, and far below what a bigint holds.
Nano = Annotated[int, Field(ge=0, le=10**18)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=200)]


Action = Literal["allow", "deny", "approve"]


class ArgumentRule(Request):
    """A condition on one argument of a tool call."""

    path: str = Field(max_length=500, pattern=r"^(/.*)?$", description="JSON pointer into the arguments")
    matches: str = Field(max_length=500, description="regular expression (RE2) that the whole value matches")


class ToolRule(Request):
    """What happens to calls of matching tools; the first rule whose conditions all hold decides."""

    tool: Glob = Field("*", description="glob over `server/tool`")
    arguments: list[ArgumentRule] = Field(default_factory=list, max_length=20)
    action: Action = "allow"


class Policy(Request):
    """What calls may leave; the organisation's and the agent's policy must both let a call pass."""

    models: Annotated[list[Glob], Field(max_length=200)] | None = Field(
        None, description="globs of models that may be called; null is any"
    )
    tools: list[ToolRule] = Field(default_factory=list, max_length=100)
    tools_default: Action = Field("allow", description="for tools that no rule names")
    irreversible: Action = Field("allow", description="for irreversible tools that no rule names")
    approval_seconds: int = Field(86_400, ge=1, le=30 * 86_400, description="until a held call expires")
    unpriced: Literal["allow", "refuse"] | None = Field(
        None,
        description="calls of models without a price while a cost budget counts; the organisation's word"
        " goes before the agent's, and null of both refuses",
    )
    redact: list[Annotated[str, StringConstraints(min_length=1, max_length=500)]] = Field(
        default_factory=list,
        max_length=50,
        description="regular expressions (RE2) replaced in what is stored, beside the rules for secrets",
    )


def check_patterns(policy: Policy) -> None:
    """Refuse a policy with a pattern that cannot be used: raises `Invalid` with the reason."""
    for expression in [*policy.redact, *(each.matches for rule in policy.tools for each in rule.arguments)]:
        Pattern(expression)
    for name in [*(policy.models or ()), *(rule.tool for rule in policy.tools)]:
        glob(name)


class OrganisationPolicy(Contract):
    """An organisation's policy as it stands."""

    policy: Policy
    revision: int = Field(description="the ETag; grows with every change")
    updated_by: str
    updated_at: Timestamp


class SetBudget(Request):
    """How much may be spent in a period; null is without limit."""

    cost_nano: Nano | None = Field(None, description="nano-dollars")
    tokens: Count | None = Field(None, description="input and output together")
    steps: Count | None = Field(None, description="calls across the boundary")
    tool_calls: Count | None = None
    period: Literal["total", "day", "month"] = Field("total", description="days and months are UTC's")


class Budget(SetBudget):
    """A budget and what is used of it in the running period."""

    scope: Literal["organisation", "agent"]
    agent_id: UUID | None = None
    spent_nano: int = 0
    spent_tokens: int = 0
    spent_steps: int = 0
    spent_tool_calls: int = 0
    held_nano: int = Field(0, description="set aside for calls under way")
    held_tokens: int = 0
    period_started_at: Timestamp
    updated_by: str
    updated_at: Timestamp


class SetPrice(Request):
    """A new version of a model's price."""

    model: Glob = Field(description="name, or a glob over names")
    input_nano: Nano = Field(description="nano-dollars per input token")
    cached_input_nano: Nano | None = Field(
        None, description="per input token that the provider had cached; null costs as any other"
    )
    cache_write_nano: Nano | None = Field(
        None, description="per input token that the provider put into its cache; null costs as any other"
    )
    output_nano: Nano = Field(description="nano-dollars per output token")
    max_output_tokens: int | None = Field(
        None, ge=1, le=10_000_000, description="longest answer of the model; null is unknown"
    )


class Price(SetPrice):
    """What a model costs, from a moment on; the newest that had begun when a call was made counts."""

    version: int = Field(description="0: the list that comes with this release")
    valid_from: Timestamp
    source: str = Field(description="`built-in`, or who set it")


class StopOrganisation(Request):
    """Why an organisation's agents are stopped."""

    reason: str = Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")


class Stop(Contract):
    """Whether an organisation's agents are stopped."""

    stopped: bool
    by: str | None = None
    reason: str | None = None
    at: Timestamp | None = None
    cancelled: int = Field(0, description="executions this stop ended")


class SpendingClient(Client):
    """Speaks to the agent-gateway about what organisations may do and spend."""

    service = "agent-gateway"

    async def budgets(self, org_id: UUID, agent_id: UUID | None = None) -> list[Budget]:
        """The budgets that were set, the organisation's first."""
        return await self._call("GET", "/budgets", list[Budget], org=org_id, query={"agent_id": agent_id})

    async def set_budget(self, org_id: UUID, agent_id: UUID | None, budget: SetBudget, actor: str) -> Budget:
        """Set the organisation's budget, or an agent's; what was spent of it stays."""
        query = {"agent_id": agent_id}
        return await self._call("PUT", "/budgets", Budget, org=org_id, actor=actor, body=budget, query=query)

    async def drop_budget(self, org_id: UUID, agent_id: UUID | None) -> None:
        """Lift a budget and forget what was spent of it."""
        await self._call("DELETE", "/budgets", None, org=org_id, query={"agent_id": agent_id})

    async def policy(self, org_id: UUID) -> OrganisationPolicy:
        """The organisation's policy; `NotFound` without one."""
        return await self._call("GET", "/policy", OrganisationPolicy, org=org_id)

    async def set_policy(
        self, org_id: UUID, policy: Policy, actor: str, instead_of: int | None = None
    ) -> OrganisationPolicy:
        """Replace a revision of the policy, 0 for none, null for any; `Stale` when another one counts."""
        query = {"instead_of": instead_of}
        return await self._call(
            "PUT", "/policy", OrganisationPolicy, org=org_id, actor=actor, body=policy, query=query
        )

    async def drop_policy(self, org_id: UUID, actor: str, revision: int | None = None) -> None:
        """Have no policy for the organisation; `Stale` when not this revision counts."""
        await self._call("DELETE", "/policy", None, org=org_id, actor=actor, query={"revision": revision})

    async def prices(self, *, history: bool = False) -> list[Price]:
        """What counts now, or every version there was."""
        return await self._call("GET", "/prices", list[Price], query={"history": history})

    async def price_of(self, model: str) -> Price:
        """What a call of the model would cost now; `NotFound` when it has no price."""
        return await self._call("GET", "/prices/of", Price, query={"model": model})

    async def set_price(self, price: SetPrice, actor: str) -> Price:
        """Set a new version of a price, from now on."""
        return await self._call("POST", "/prices", Price, actor=actor, body=price)

    async def stop(self, org_id: UUID, request: StopOrganisation, actor: str) -> Stop:
        """End everything of the organisation, and let nothing begin until the stop is lifted."""
        return await self._call("POST", "/stop", Stop, org=org_id, actor=actor, body=request, timeout=30)

    async def lift_stop(self, org_id: UUID, actor: str) -> Stop:
        """Let the organisation's agents work again."""
        return await self._call("DELETE", "/stop", Stop, org=org_id, actor=actor)

    async def stopped(self, org_id: UUID) -> Stop:
        """Whether the organisation is stopped."""
        return await self._call("GET", "/stop", Stop, org=org_id)
