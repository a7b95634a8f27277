"""From what a caller asks to the spec of an agent: defaults, merging, and secrets apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from backend.schemas.agents import AgentSettings, DeployAgent, PatchAgent
from backend.services.provider_keys import is_provider_key, vault_path
from services.chassis.errors import Invalid
from services.contracts.agents import AgentSpec

# Fields of a request that are not part of a spec under the same name.
_OTHER = frozenset(
    {
        "name",
        "description",
        "env_vars",
        "replicas",
        "memory_limit",
        "concurrency_attribution",
        "allow_raw_secrets",
    }
)


@dataclass(frozen=True)
class Prepared:
    """A spec without secrets, and the secrets it refers to: variable -> value."""

    spec: AgentSpec
    secrets: dict[str, str]


def new_spec(request: DeployAgent, agent_id: UUID) -> Prepared:
    """The spec of a new agent."""
    plain, secrets = _split(request.env_vars, request.allow_raw_secrets)
    fields = {name: value for name, value in _fields(request).items() if value is not None}
    fields["env_vars"] = plain
    fields["provider_keys"] = {name: vault_path(agent_id, name) for name in secrets}
    spec = AgentSpec(**fields)
    check_replicas(spec, request.replicas)
    return Prepared(spec, secrets)


def patched_spec(old: AgentSpec, patch: PatchAgent, agent_id: UUID) -> Prepared:
    """The spec after a change; secrets hold only the values that are new."""
    given = {name: value for name, value in patch.env_vars.items() if value is not None}
    plain, secrets = _split(given, patch.allow_raw_secrets)
    touched = patch.env_vars.keys()
    env_vars = {name: value for name, value in old.env_vars.items() if name not in touched} | plain
    provider_keys = {name: path for name, path in old.provider_keys.items() if name not in touched}
    provider_keys |= {name: vault_path(agent_id, name) for name in secrets}
    fields = {"env_vars": env_vars, "provider_keys": provider_keys}
    # A null asks for the default, so the field is left out.
    changed = _fields(patch)
    kept = {name: value for name, value in old.model_dump().items() if name not in changed}
    fields = kept | {name: value for name, value in changed.items() if value is not None} | fields
    spec = AgentSpec(**fields)
    if spec.docker_image is None and spec.bundle is None:
        raise Invalid("docker_image or bundle is required")
    return Prepared(spec, secrets)


def check_replicas(spec: AgentSpec, replicas: int) -> None:
    """Refuse more than one instance of a singleton."""
    if spec.singleton and replicas > 1:
        raise Invalid(f"a singleton has one instance, not {replicas}")


def _fields(request: AgentSettings) -> dict[str, Any]:
    fields = {name: getattr(request, name) for name in request.model_fields_set if name not in _OTHER}
    if "memory_limit" in request.model_fields_set:
        fields["memory_limit_bytes"] = request.memory_limit
    return fields


def _split(env_vars: Mapping[str, str], allow_raw: bool) -> tuple[dict[str, str], dict[str, str]]:
    plain: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for name, value in env_vars.items():
        (secrets if not allow_raw and is_provider_key(name, value) else plain)[name] = value
    return plain, secrets
