"""The card by which an A2A client knows an agent of the organisation."""

from services.agent_gateway.tools.a2a.rpc import VERSION
from services.agent_gateway.tools.protocol import Json
from services.contracts.backend import CallableAgent

MODES = ["text/plain", "application/json"]


def card_of(agent: CallableAgent, url: str) -> Json:
    """The card of an agent that is spoken to at this address."""
    description = f"The agent {agent.agent_name} of this organisation, run by AgentPlane."
    skill = {"id": "invoke", "name": agent.agent_name, "description": description, "tags": ["agent"]}
    return {
        "name": agent.agent_name,
        "description": description,
        "version": str(agent.agent_version),
        "supportedInterfaces": [{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": VERSION}],
        "capabilities": {"streaming": True, "pushNotifications": False, "extendedAgentCard": False},
        "securitySchemes": {"key": {"httpAuthSecurityScheme": {"scheme": "bearer"}}},
        "securityRequirements": [{"schemes": {"key": {"list": []}}}],
        "defaultInputModes": MODES,
        "defaultOutputModes": MODES,
        "skills": [skill],
    }
