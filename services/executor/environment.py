"""The environment an agent is given: the list of the agent contract, beside the user's own variables."""

import json
from dataclasses import dataclass

from services.contracts.agent_gateway import VirtualKey
from services.contracts.agents import AgentMode
from services.contracts.executor import Order


@dataclass(frozen=True)
class Places:
    """Where an agent finds what it is told of, as it sees it."""

    url: str
    port: int
    home: str
    token_file: str
    input_file: str
    path: str
    temporary: str = "/tmp"  # noqa: S108 - private where the agent is isolated


def variables(order: Order, key: VirtualKey, places: Places, otel_endpoint: str | None) -> dict[str, str]:
    """
    All variables of one process.

    The platform's names win over the user's, but for provider variables that a deploy passed through raw.
    """
    spec = order.spec
    proxy = places.url.replace("http://", f"http://agent:{key.key}@", 1)
    injected = {
        "PORT": str(places.port),
        "AGENTPLANE_URL": places.url,
        "AGENTPLANE_ORG_ID": str(order.org_id),
        "AGENTPLANE_AGENT_ID": str(order.agent_id),
        "AGENTPLANE_AGENT_NAME": order.agent_name,
        "AGENTPLANE_AGENT_VERSION": str(order.agent_version),
        "AGENTPLANE_INSTANCE_ID": str(order.run_id),
        "AGENTPLANE_TOKEN_FILE": places.token_file,
        "AGENTPLANE_MCP_URL": f"{places.url}/mcp",
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "NO_PROXY": "127.0.0.1,localhost",
    }
    if spec.mode is AgentMode.JOB:
        injected["AGENTPLANE_INPUT_FILE"] = places.input_file
        injected["AGENTPLANE_EXECUTION_ID"] = str(order.execution_id or "")
    if otel_endpoint:
        injected["OTEL_EXPORTER_OTLP_ENDPOINT"] = otel_endpoint
        injected["OTEL_SERVICE_NAME"] = order.agent_name
        injected["OTEL_RESOURCE_ATTRIBUTES"] = (
            f"agentplane.agent.id={order.agent_id},agentplane.instance.id={order.run_id}"
        )
    usual = {
        "PATH": places.path,
        "HOME": places.home,
        "USER": "agent",
        "LOGNAME": "agent",
        "LANG": "C.UTF-8",
        "TMPDIR": places.temporary,
        "PYTHONUNBUFFERED": "1",
    }
    return {**usual, **_provider(key, places), **spec.env_vars, **_keys_in_the_vault(order, key), **injected}


def _provider(key: VirtualKey, places: Places) -> dict[str, str]:
    return {
        "OPENAI_BASE_URL": f"{places.url}/v1",
        "OPENAI_API_BASE": f"{places.url}/v1",
        "OPENAI_API_KEY": key.key,
        "ANTHROPIC_BASE_URL": places.url,
        "ANTHROPIC_API_KEY": key.key,
    }


def _keys_in_the_vault(order: Order, key: VirtualKey) -> dict[str, str]:
    """Variables whose value went to the vault hold the virtual key instead."""
    return dict.fromkeys(order.spec.provider_keys, key.key)


def mcp_servers(key: VirtualKey, places: Places) -> str:
    """The usual mcpServers file, with the gateway as its one server."""
    server = {
        "type": "http",
        "url": f"{places.url}/mcp",
        "headers": {"Authorization": f"Bearer {key.key}"},
    }
    return json.dumps({"mcpServers": {"agentplane": server}}, indent=2)
