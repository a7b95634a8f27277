"""Knobs of the agent-gateway."""

from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class GatewaySettings(ServiceSettings):
    """How the gateway queues, dispatches and forwards."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTPLANE_AGENT_GATEWAY_",
        extra="ignore",
        env_ignore_empty=True,
        frozen=True,
        populate_by_name=True,
    )

    default_route: Literal["scripted", "openai"] = Field(
        "openai",
        validation_alias=AliasChoices("AGENTPLANE_DEFAULT_ROUTE"),
        description="where models not named scripted/* go: `scripted` marks every step, `openai` is the"
        " provider whose API the agent speaks (OpenAI's or Anthropic's) and needs a key",
    )
    openai_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("OPENAI_API_KEY"),
        description="the platform's provider key, for agents without one of their own in the vault",
    )
    openai_url: str = Field(
        "https://api.openai.com/v1",
        validation_alias=AliasChoices("OPENAI_BASE_URL", "AGENTPLANE_AGENT_GATEWAY_OPENAI_URL"),
        description="base URL of the OpenAI-compatible upstream",
    )
    anthropic_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("ANTHROPIC_API_KEY"),
        description="the platform's key at Anthropic, for agents without one of their own in the vault",
    )
    anthropic_url: str = Field(
        "https://api.anthropic.com",
        validation_alias=AliasChoices("ANTHROPIC_BASE_URL", "AGENTPLANE_AGENT_GATEWAY_ANTHROPIC_URL"),
        description="base URL of the upstream that speaks Anthropic's messages",
    )
    budget_hold_seconds: float = Field(
        10, ge=5, description="what a gateway that crashed had leased of budgets is free again after so long"
    )
    budget_wait_seconds: float = Field(
        30, ge=0, description="how long a call waits for what other calls have set aside of a budget"
    )
    connect_seconds: float = Field(10, gt=0, description="until a provider must have taken a connection")
    silence_seconds: float = Field(120, gt=0, description="longest pause in a provider's answer")
    call_seconds: float = Field(600, gt=0, description="longest model call as a whole")
    max_call_bytes: int = Field(20 * 1024 * 1024, gt=0, description="largest model request or answer")
    max_output_bytes: int = Field(8 * 1024 * 1024, gt=0, description="largest answer of an agent")
    lease_seconds: float = Field(
        9, gt=0, description="an execution whose worker is silent so long is taken over"
    )
    token_seconds: float = Field(900, gt=0, le=900, description="life of a rotated token")
    key_cache_seconds: float = Field(0.8, ge=0, le=1, description="a revoked key works at most so long")
    gone_seconds: float = Field(
        30, gt=0, description="an instance missing from the ready ones so long is gone, with what it accepted"
    )
    jobs_in_flight: int = Field(64, gt=0, description="jobs being started at a time")
    egress_idle_seconds: float = Field(
        300, gt=0, description="a connection to the outside that is silent so long is closed"
    )
    tool_seconds: float = Field(300, gt=0, description="longest call of a tool of an MCP server")
    agent_depth: int = Field(8, ge=1, le=50, description="how deep agents may call each other")
    journal_seconds: float = Field(
        10, gt=0, description="how long the journal may be away before a call fails"
    )
