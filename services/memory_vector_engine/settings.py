"""Knobs of the memory vector engine."""

from typing import Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings
from services.contracts.memories import DIMENSIONS


class MemorySettings(ServiceSettings):
    """Where embeddings come from, how long memories live, and when which search plan serves."""

    model_config = SettingsConfigDict(
        env_prefix="AGENTPLANE_MEMORY_",
        extra="ignore",
        env_ignore_empty=True,
        frozen=True,
        populate_by_name=True,
    )

    embedding_api_url: str | None = Field(
        None,
        validation_alias=AliasChoices("EMBEDDING_API_URL", "AGENTPLANE_MEMORY_EMBEDDING_API_URL"),
        description="base of an OpenAI-compatible API; without it OpenAI's, when OPENAI_API_KEY is set",
    )
    embedding_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("EMBEDDING_API_KEY", "AGENTPLANE_MEMORY_EMBEDDING_API_KEY")
    )
    openai_api_key: SecretStr | None = Field(
        None, validation_alias=AliasChoices("OPENAI_API_KEY"), description="sent to api.openai.com only"
    )
    embedding_model: str = Field(
        "text-embedding-3-small",
        min_length=1,
        max_length=200,
        validation_alias=AliasChoices("EMBEDDING_MODEL", "AGENTPLANE_MEMORY_EMBEDDING_MODEL"),
    )
    embedding_dimensions: int = Field(
        DIMENSIONS,
        ge=1,
        le=16_384,
        validation_alias=AliasChoices("EMBEDDING_DIMENSIONS", "AGENTPLANE_MEMORY_EMBEDDING_DIMENSIONS"),
        description="what the model answers with",
    )
    embedding_mapping: Literal["exact", "pad", "truncate"] = Field(
        "exact",
        validation_alias=AliasChoices("EMBEDDING_MAPPING", "AGENTPLANE_MEMORY_EMBEDDING_MAPPING"),
        description="pad: fewer than 1536, filled with zeros; truncate: more, for models trained to be cut",
    )
    query_timeout_seconds: float = Field(2.0, gt=0, description="a search waits this long for its embedding")
    batch_timeout_seconds: float = Field(30.0, gt=0)
    batch_size: int = Field(128, ge=1, le=2_048, description="texts in one request to the provider")
    query_cache_size: int = Field(2_000, ge=0, description="embeddings of recent queries kept in memory")

    working_ttl_seconds: int = Field(86_400, ge=1, description="life of a working memory")
    history_days: int = Field(90, ge=1, description="how long ended versions stay readable")
    language: str = Field(
        "english", pattern=r"^[a-z_]{1,40}$", description="PostgreSQL text search configuration"
    )

    exact_up_to: int = Field(2_000, ge=0, description="memories up to which every embedding is compared")
    graph_from: int = Field(50_000, ge=1, description="memories from which an HNSW graph serves")
    candidates: int = Field(
        200, ge=10, le=2_000, description="nearest signatures whose embeddings are compared"
    )
    warm_bytes: int = Field(
        256 * 1024 * 1024,
        ge=0,
        description="for collections kept in the process; 0 keeps none, and every search reads the store",
    )
