"""Knobs of the WebSocket gateway."""

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class WebSocketSettings(ServiceSettings):
    """Who may connect, for how long, and how much a slow page may fall behind."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTPLANE_WEBSOCKET_GATEWAY_",
        extra="ignore",
        env_ignore_empty=True,
        frozen=True,
        populate_by_name=True,
    )

    cors_origins: str = Field(
        "",
        validation_alias=AliasChoices("CORS_ORIGINS", "cors_origins"),
        description="origins of browsers besides the own one, comma separated",
    )
    queue_frames: int = Field(256, ge=1, description="frames a page may fall behind")
    queue_bytes: int = Field(1024**2, ge=1024, description="bytes a page may fall behind")
    replay_events: int = Field(
        1_000, ge=1, description="events replayed; a page that missed more starts anew"
    )
    max_connections: int = Field(5_000, ge=1, description="of one process")
    max_subscriptions: int = Field(16, ge=1, description="of one connection")
    idle_seconds: float = Field(60, gt=0, description="a connection without a subscription is closed")
    max_age_seconds: float = Field(
        3600, gt=0, description="after this a page must show a fresh ticket, so that lost rights take effect"
    )

    @property
    def origins(self) -> frozenset[str]:
        """The origins allowed besides the own one."""
        return frozenset(each.strip().rstrip("/") for each in self.cors_origins.split(",") if each.strip())
