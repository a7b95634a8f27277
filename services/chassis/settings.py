"""What a process is told from outside: stores, addresses, keys. The only place that reads the environment."""

import hashlib
import os
from functools import cached_property
from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

KEY_PREFIX = "AGENTPLANE_SERVICE_KEY_"


class ServiceSettings(BaseSettings):
    """Base of a service's own knobs; a subclass sets `env_prefix` to `AGENTPLANE_<SERVICE>_`."""

    model_config = SettingsConfigDict(extra="ignore", env_ignore_empty=True, frozen=True)


class PlatformSettings(ServiceSettings):
    """What every process needs to know."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTPLANE_", extra="ignore", env_ignore_empty=True, frozen=True, populate_by_name=True
    )

    host: str = Field("127.0.0.1", description="address the services listen on")
    trusted_proxies: str = Field(
        "", description="addresses in front of us whose X-Forwarded-For counts, comma separated"
    )
    port_base: int = Field(0, ge=0, le=50_000, description="added to every documented port")
    process: str = Field("all", description="name of this process, for the registry and logs")
    service_url: str = Field(
        "http://127.0.0.1:{port}", description="how a service is reached; {name}, {port}"
    )
    log_level: str = "INFO"
    data_dir: Path | None = Field(None, description="local mode's directory")

    database_owner_url: str | None = Field(
        None, validation_alias=AliasChoices("DATABASE_OWNER_URL", "DATABASE_URL")
    )
    database_app_url: str | None = Field(None, validation_alias=AliasChoices("DATABASE_APP_URL"))
    database_system_url: str | None = Field(None, validation_alias=AliasChoices("DATABASE_SYSTEM_URL"))
    database_pool_size: int = Field(10, ge=2, description="connections of each of the two pools")
    redis_url: str | None = Field(None, validation_alias=AliasChoices("REDIS_URL"))
    nats_url: str | None = Field(None, validation_alias=AliasChoices("NATS_URL"))

    egress_private_allow: str = Field(
        "", description="private hosts and networks that user-given URLs may name, comma separated"
    )
    egress_ports: str = Field(
        "80,443,8443", description="ports of public hosts that user-given URLs may name, or any"
    )
    egress_plain_http: bool = Field(False, description="let user-given URLs name public hosts without TLS")

    otel_endpoint: str | None = Field(
        None,
        validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT", "otel_endpoint"),
        description="collector of traces by OTLP/HTTP, as http://otel:4318; null: none are made",
    )
    trace_ratio: float = Field(0.1, ge=0, le=1, description="share of traces that are collected")

    accepted_service_keys: str = Field(
        "", description="caller=sha256 pairs, comma separated, of keys this process knows only the hash of"
    )

    @cached_property
    def service_keys(self) -> dict[str, str]:
        """The keys this process holds: caller -> key."""
        return {
            name.removeprefix(KEY_PREFIX).lower().replace("_", "-"): value
            for name, value in os.environ.items()
            if name.startswith(KEY_PREFIX) and value
        }

    @cached_property
    def accepted_keys(self) -> dict[str, str]:
        """Every key this process accepts: sha256 of the key -> caller."""
        accepted = {key_hash(key): caller for caller, key in self.service_keys.items()}
        for pair in filter(None, self.accepted_service_keys.split(",")):
            caller, _, digest = pair.strip().partition("=")
            accepted[digest] = caller
        return accepted

    def url_of(self, name: str, port: int) -> str:
        """Where the service of that name and documented port is reached."""
        return self.service_url.format(name=name, port=port + self.port_base)


def key_hash(key: str) -> str:
    """What is kept of a service key where only checking is needed."""
    return hashlib.sha256(key.encode()).hexdigest()
