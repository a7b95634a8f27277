"""Knobs of the control brain."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class BrainSettings(ServiceSettings):
    """How much a tick does, how full nodes get, and how long records are kept."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTPLANE_CONTROL_BRAIN_", extra="ignore", env_ignore_empty=True, frozen=True
    )

    agents_per_tick: int = Field(10_000, ge=1, description="drifted agents looked at in one tick")
    agents_per_plan: int = Field(1_000, ge=1, description="agents decided on in one transaction")
    commands_per_tick: int = Field(5_000, ge=1, description="orders given in one tick")
    coalesce_seconds: float = Field(0.1, ge=0, description="how long a wake-up waits for others to join it")
    cpu_overcommit: float = Field(
        100.0, gt=0, description="CPU promised for each core: agents mostly wait, and limits still bind each"
    )
    memory_overcommit: float = Field(4.0, gt=0, description="memory promised for each byte a node has")
    redeliver_seconds: float = Field(
        10.0, gt=0, description="age at which an unconfirmed order is sent again"
    )
    orders_at_once: int = Field(8, ge=1, description="orders on their way to one node at a time")
    orders_per_node: int = Field(200, ge=1, description="orders of one node taken up in one go")
    keep_days: float = Field(7, gt=0, description="age at which decisions and finished orders are deleted")
    keep_decisions: int = Field(100_000, ge=1000, description="decisions kept at most")
