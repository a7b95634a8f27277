"""Knobs of the metrics collector."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class MetricsSettings(ServiceSettings):
    """How long a node may take to answer, and how long samples are kept."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTPLANE_METRICS_COLLECTOR_", extra="ignore", env_ignore_empty=True, frozen=True
    )

    node_timeout_seconds: float = Field(3, gt=0, le=9, description="what a silent node costs, itself only")
    retention_days: int = Field(7, ge=1, le=365, description="age at which samples are deleted")
    retention_batch: int = Field(5_000, ge=1, description="samples deleted in one transaction")
