"""Knobs of the backend."""

from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class BackendSettings(ServiceSettings):
    """Sessions, limits, and who may call from a browser."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTPLANE_BACKEND_",
        extra="ignore",
        env_ignore_empty=True,
        frozen=True,
        populate_by_name=True,
    )

    jwt_secret_key: SecretStr = Field(
        min_length=32,
        validation_alias=AliasChoices("AGENTPLANE_JWT_SECRET_KEY", "jwt_secret_key"),
        description="signs access tokens; there is no default",
    )
    cors_origins: str = Field(
        "",
        validation_alias=AliasChoices("CORS_ORIGINS", "cors_origins"),
        description="origins of browsers, comma separated",
    )
    access_token_seconds: int = Field(900, ge=60, le=3600)
    session_days: int = Field(30, ge=1, le=90, description="absolute life of a session")
    refresh_grace_seconds: float = Field(
        10, ge=0, le=60, description="how long the loser of a race between tabs still gets the new token"
    )
    principal_cache_seconds: float = Field(
        1, gt=0, le=10, description="how long another process's revocation may go unnoticed"
    )
    requests_per_minute: int = Field(6000, ge=1, description="quota of an organisation")
    principal_share: float = Field(
        0.8, gt=0, le=1, description="of the organisation's quota that one person or key may use"
    )
    expensive_share: float = Field(
        0.1, gt=0, le=1, description="of the organisation's quota for searches, exports, imports and bundles"
    )
    requests_at_once: int = Field(500, ge=1, description="of an organisation in one process")
    streams_at_once: int = Field(1000, ge=1, description="open streams of an organisation in one process")
    login_failures: int = Field(5, ge=1, description="of one account from one network, before a lockout")
    login_failures_anywhere: int = Field(25, ge=1, description="of one account from everywhere")
    lockout_seconds: int = Field(30, ge=1)
    operators: str = Field(
        "default", description="slug of the organisation whose members may change the platform itself"
    )
    dashboard_directory: Path | None = Field(
        None, description="the dashboard as static files, with what its build says; null: served elsewhere"
    )


class AdministratorSettings(ServiceSettings):
    """Who is made the first administrator."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTPLANE_ADMIN_", extra="ignore", env_ignore_empty=True, frozen=True
    )

    email: str = "admin@example.com"
    password: SecretStr | None = Field(None, description="null: a random one is made and printed once")
