"""Knobs of the event processor."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class EventSettings(ServiceSettings):
    """How much is projected at once, and how soon an unreachable Redis is tried again."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTPLANE_EVENT_PROCESSOR_", extra="ignore", env_ignore_empty=True, frozen=True
    )

    batch: int = Field(500, ge=1, description="events written to Redis in one round trip")
    backlog: int = Field(5_000, ge=1, description="events held while Redis is busy; then handlers wait")


class WebhookSettings(ServiceSettings):
    """How outbound webhooks are tried."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTPLANE_WEBHOOKS_", extra="ignore", env_ignore_empty=True, frozen=True
    )

    schedule: str = Field(
        "0,5,300,1800,7200,18000,36000,50400,72000,86400",
        description="seconds before each try, comma separated; the last one failed is given up",
    )
    timeout_seconds: float = Field(20, gt=0, le=30, description="for a whole answer")
    lease_seconds: float = Field(60, gt=0, description="a try that was not recorded by then is repeated")
    concurrency: int = Field(50, ge=1, description="tries at once")
    concurrency_each: int = Field(5, ge=1, description="tries at once at one endpoint")
    most_answer_bytes: int = Field(64 * 1024, ge=1, description="of an answer that are read; none are kept")
    disable_after_seconds: float = Field(
        5 * 24 * 3600, gt=0, description="an endpoint that only failed for so long is disabled"
    )
    keep_days: int = Field(30, ge=1, description="how long ended deliveries can be read and resent")
