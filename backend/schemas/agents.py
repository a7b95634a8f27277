"""Agents, as the API takes and shows them."""

import re
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from services.chassis.contract import Contract, Request, Timestamp
from services.chassis.errors import Invalid
from services.contracts.agents import AgentMode, AgentName, AgentSpec, AgentState, IsolationLevel
from services.contracts.spending import Policy, check_patterns

_MEMORY = re.compile(r"^\s*(\d{1,12}(?:\.\d{1,3})?)\s*([kmgt]?)i?b?\s*$", re.IGNORECASE)
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
MOST_MEMORY_BYTES = 16 * 1024**4


def memory_bytes(value: Any) -> Any:
    """`512m`, `1.5g`, `512Mi` or a number of bytes, as bytes; units are powers of 1024."""
    if isinstance(value, str):
        match = _MEMORY.match(value)
        if match is None:
            raise ValueError("memory is a number of bytes, or a number with k, m, g or t, as 512m")
        return int(float(match[1]) * _UNITS[match[2].lower()])
    return value


Memory = Annotated[int, BeforeValidator(memory_bytes), Field(ge=16 * 1024**2, le=MOST_MEMORY_BYTES)]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
EnvValue = Annotated[str, StringConstraints(max_length=32_768, pattern=r"^[^\x00]*$")]
Path = Annotated[str, StringConstraints(pattern=r"^/[\x21-\x7e]{0,199}$")]
Text = Annotated[str, StringConstraints(max_length=4096, pattern=r"^[^\x00]*$")]
Image = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Host = Annotated[
    str, StringConstraints(pattern=r"^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:\d{1,5})?$")
]
Label = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[\x20-\x7e]+$")]
Argument = Annotated[str, StringConstraints(max_length=8192, pattern=r"^[^\x00]*$")]


class AgentSettings(Request):
    """Everything about an agent that may be given at its creation and changed later."""

    description: Text | None = None
    docker_image: Image | None = None
    bundle: Digest | None = Field(None, description="digest of an uploaded bundle")
    command: Annotated[list[Argument], Field(min_length=1, max_length=64)] | None = None
    mode: AgentMode | None = None
    cpu_limit: float | None = Field(None, gt=0, le=256, allow_inf_nan=False, description="cores")
    memory_limit: Memory | None = Field(None, description="bytes, or as `512m`")
    isolation: IsolationLevel | None = Field(None, description="the least that is accepted")
    require_enforcement: bool | None = Field(None, description="refuse nodes that can only advise limits")
    concurrency: int | None = Field(None, ge=1, le=1000)
    concurrency_attribution: bool = Field(
        False, description="the agent sends the execution's id or traceparent with every call"
    )
    invoke_path: Path | None = None
    health_path: Path | None = None
    singleton: bool | None = None
    region: Label | None = None
    node_labels: Annotated[dict[Label, Label], Field(max_length=32)] | None = None
    execution_timeout_seconds: int | None = Field(None, ge=1, le=86_400)
    start_timeout_seconds: int | None = Field(None, ge=1, le=3_600)
    stop_grace_seconds: int | None = Field(None, ge=0, le=3_600)
    max_attempts: int | None = Field(None, ge=1, le=20)
    capture: Literal["durable", "async"] | None = None
    egress_allow: Annotated[list[Host], Field(max_length=200)] | None = None
    policy: Policy | None = Field(
        None, description="models and tools it may call, beside its organisation's policy"
    )
    allow_raw_secrets: bool = Field(
        False, description="leave values that look like provider keys in env_vars"
    )

    @field_validator("policy")
    @classmethod
    def _matchable(cls, policy: Policy | None) -> Policy | None:
        if policy is not None:
            try:
                check_patterns(policy)
            except Invalid as error:
                raise ValueError(error.detail) from None
        return policy

    @model_validator(mode="after")
    def _attributable(self) -> "AgentSettings":
        if (self.concurrency or 1) > 1 and not self.concurrency_attribution:
            raise ValueError(
                "concurrency above 1 needs concurrency_attribution: true, by which you say that the agent "
                "sends X-AgentPlane-Execution-Id or the given traceparent with every call; otherwise the "
                "platform could not tell which execution a model call belongs to, and it never guesses"
            )
        return self


class DeployAgent(AgentSettings):
    """A new agent."""

    name: AgentName
    env_vars: Annotated[dict[EnvName, EnvValue], Field(max_length=200)] = Field(default_factory=dict)
    replicas: int = Field(1, ge=0, le=1000)

    @model_validator(mode="after")
    def _runnable(self) -> "DeployAgent":
        if self.docker_image is None and self.bundle is None:
            raise ValueError("docker_image or bundle is required")
        return self


class PatchAgent(AgentSettings):
    """A change of an agent: what is not given stays; null takes the default; env_vars are merged."""

    env_vars: Annotated[dict[EnvName, EnvValue | None], Field(max_length=200)] = Field(
        default_factory=dict, description="null removes a variable"
    )

    @field_validator("env_vars", mode="before")
    @classmethod
    def _not_null(cls, value: Any) -> Any:
        return {} if value is None else value


class ScaleAgent(Request):
    """How many instances are wanted."""

    replicas: int = Field(ge=0, le=1000)


class RollBackAgent(Request):
    """Which version to go back to."""

    version: int = Field(ge=1, le=2_147_483_647)


class AgentStatus(Contract):
    """How an agent stands, as the brain last saw it."""

    state: AgentState = Field(description="`pending` until the brain has looked")
    reason: str | None = None
    ready_replicas: int = 0


class Agent(Contract):
    """An agent: what is wanted of it and how it stands."""

    id: UUID
    name: str
    description: str
    status: AgentStatus
    desired_state: Literal["running", "stopped"]
    desired_replicas: int
    version: int
    generation: int
    revision: int = Field(description="the ETag; grows with every change")
    spec: AgentSpec
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp


class AgentVersion(Contract):
    """One version of an agent's spec."""

    version: int
    spec: AgentSpec
    note: str
    created_by: str
    created_at: Timestamp
