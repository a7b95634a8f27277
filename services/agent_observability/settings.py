"""Knobs of the journal."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class JournalSettings(ServiceSettings):
    """How long steps are kept."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTPLANE_JOURNAL_", extra="ignore", env_ignore_empty=True, frozen=True
    )

    retention_days: int = Field(
        0, ge=0, description="days after which a week of steps is dropped whole; 0 keeps them for ever"
    )
