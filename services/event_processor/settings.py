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
