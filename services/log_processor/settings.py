"""Knobs of the log processor."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class LogSettings(ServiceSettings):
    """How long lines are kept."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTPLANE_LOG_PROCESSOR_", extra="ignore", env_ignore_empty=True, frozen=True
    )

    retention_days: int = Field(14, ge=1, le=3650, description="age at which lines are deleted")
    retention_batch: int = Field(5_000, ge=1, description="lines deleted in one transaction")
