"""What the demo agent can be: AGENT_ROLE names one of the roles here, or describes another in a word."""

from __future__ import annotations

from agent_runtime.tools import Role


def role_of(name: str) -> Role:
    """The role of that name; one that is not here is an assistant without tools who is told its role."""
    # Only the role that is played is imported: its data is read at import.
    if name == "support":
        from agent_runtime.roles.support import make_support

        return make_support()
    if name == "research":
        from agent_runtime.roles.research import make_research

        return make_research()
    from agent_runtime.roles.assistant import make_assistant

    return make_assistant(name)
