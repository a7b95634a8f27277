"""What agents may do and spend: policies, budgets, prices, and the stop of a whole organisation."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from services.chassis.contract import Contract, Request, Timestamp

Glob = str


class ArgumentRule(Contract):
    """A condition on one argument of a tool call."""

    path: str = Field(max_length=500, description="JSON pointer into the arguments")
    matches: str = Field(max_length=500, description="regular expression that the whole value matches")


class ToolRule(Contract):
    """What happens to calls of matching tools; the first rule that matches decides."""

    tool: Glob = Field("*", max_length=200, description="glob over `server/tool`")
    arguments: list[ArgumentRule] = Field(default_factory=list, max_length=20)
    action: Literal["allow", "deny", "approve"] = "allow"


class Policy(Contract):
    """What calls may leave; the organisation's and the agent's policy must both let a call pass."""

    models: list[Glob] | None = Field(None, description="globs of models that may be called; null is any")
    tools: list[ToolRule] = Field(default_factory=list, max_length=100)
    tools_default: Literal["allow", "deny", "approve"] = "allow"
    irreversible: Literal["allow", "deny", "approve"] = Field(
        "allow", description="for irreversible tools that no rule names"
    )
    approval_seconds: int = Field(86_400, ge=1, le=30 * 86_400, description="until a held call expires")
    redact: list[str] = Field(
        default_factory=list,
        max_length=50,
        description="regular expressions replaced in what is stored, beside the built-in rules for secrets",
    )


class SetBudget(Request):
    """How much may be spent in a period; null is without limit."""

    cost_nano: int | None = Field(None, ge=0, description="nano-dollars")
    tokens: int | None = Field(None, ge=0)
    period: Literal["total", "day", "month"] = "total"


class Budget(SetBudget):
    """A budget and what is used of it in the running period."""

    scope: Literal["organisation", "agent"]
    agent_id: UUID | None = None
    spent_nano: int = 0
    spent_tokens: int = 0
    held_nano: int = Field(0, description="reserved by calls under way")
    period_started_at: Timestamp
    updated_at: Timestamp


class Price(Contract):
    """What a model costs, from a moment on; the newest that had begun when a call was made counts."""

    model: Glob = Field(max_length=200, description="name, or a glob over names")
    version: int
    input_nano: int = Field(ge=0, description="nano-dollars per input token")
    cached_input_nano: int | None = Field(None, ge=0, description="per input token the provider had cached")
    output_nano: int = Field(ge=0, description="nano-dollars per output token")
    valid_from: Timestamp
    source: str = Field(description="`built-in`, or who set it")


class SetPrice(Request):
    """A new version of a model's price."""

    model: Glob = Field(min_length=1, max_length=200)
    input_nano: int = Field(ge=0)
    cached_input_nano: int | None = Field(None, ge=0)
    output_nano: int = Field(ge=0)


class Stop(Contract):
    """Whether an organisation's agents are stopped."""

    stopped: bool
    by: str | None = None
    reason: str | None = None
    at: Timestamp | None = None
    cancelled: int = Field(0, description="executions this stop ended")
