"""Knobs of the secrets manager."""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings


class SecretsSettings(ServiceSettings):
    """Where the master key comes from."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTPLANE_SECRETS_", extra="ignore", env_ignore_empty=True, frozen=True
    )

    master_key: SecretStr = Field(description="32 random bytes in base64; there is no default")
