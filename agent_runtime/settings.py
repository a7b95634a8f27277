"""What the agent is told by its environment."""

from __future__ import annotations

import os
from typing import NamedTuple

# Inside a container the agent must be reachable from outside; any other port is one of the host itself.
CONTAINER_PORT = 8080
DEFAULT_ROLE = "support"
# Answers everywhere the platform runs, with no key and no internet.
DEFAULT_MODEL = "scripted/agent"


class Settings(NamedTuple):
    """The injected environment as far as this agent uses it, and its own knobs (`AGENT_*`)."""

    role: str
    model: str
    base_url: str
    api_key: str
    host: str
    port: int
    max_active: int
    drain_seconds: float
    quiet: bool  # say nothing of work that goes well
    input_file: str
    output_file: str
    execution_id: str

    @classmethod
    def of_environment(cls) -> Settings:
        """Read the environment once, at the start."""
        value = os.environ.get
        port = int(value("PORT") or CONTAINER_PORT)
        return cls(
            role=value("AGENT_ROLE") or DEFAULT_ROLE,
            model=value("AGENT_MODEL") or DEFAULT_MODEL,
            base_url=value("OPENAI_BASE_URL") or value("OPENAI_API_BASE") or "",
            api_key=value("OPENAI_API_KEY") or "",
            host=value("HOST") or ("0.0.0.0" if port == CONTAINER_PORT else "127.0.0.1"),  # noqa: S104
            port=port,
            max_active=int(value("AGENT_MAX_ACTIVE") or 64),
            drain_seconds=float(value("AGENT_DRAIN_SECONDS") or 30),
            quiet=value("AGENT_LOG_LEVEL", "").lower() in {"warning", "error"},
            input_file=value("AGENTPLANE_INPUT_FILE") or "",
            output_file=value("AGENTPLANE_OUTPUT_FILE") or "/agentplane/output.json",
            execution_id=value("AGENTPLANE_EXECUTION_ID") or "",
        )
