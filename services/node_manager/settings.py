"""Knobs of the node manager."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class NodeManagerSettings(ServiceSettings):
    """How long a node may be silent before anything is done about it."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTPLANE_NODE_MANAGER_", extra="ignore", env_ignore_empty=True, frozen=True
    )

    lease_seconds: float = Field(20, gt=0, description="a node renews every half of it; then it is silent")
    fence_seconds: float = Field(
        30, gt=0, description="a node without renewal stops its singletons after this"
    )
    grace_seconds: float = Field(40, gt=0, description="silence beyond the lease until a node is lost")
    margin_seconds: float = Field(2, ge=0, description="added to the grace for clocks that differ")
