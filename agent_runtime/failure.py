"""
How the agent fails, in the words of the contract.

    AgentFailed          agent_error       500, exit 1    retried by the platform
    ├── BadInput         invalid_input     422, exit 1    never retried
    ├── ModelRejected    llm_rejected      422, exit 1    never retried
    ├── ModelUnavailable llm_unavailable   502, exit 75   retried
    ├── OutOfTime        agent_timeout     504, exit 75   retried while the deadline allows
    └── Abandoned        abandoned         499, exit 1    the caller has hung up; nobody reads this
"""

from __future__ import annotations

from typing import Any

EXIT_RETRYABLE = 75


class AgentFailed(Exception):
    """The agent could not finish its work."""

    code = "agent_error"
    status = 500
    exit_code = 1

    def body(self) -> dict[str, Any]:
        """The failure as the caller reads it."""
        error = {"code": self.code, "message": str(self), "retryable": self.status >= 500}
        return {"error": error}


class BadInput(AgentFailed):
    """The input is not something this agent can work on."""

    code, status = "invalid_input", 422


class ModelRejected(AgentFailed):
    """The model refused the request itself; sending it again would not help."""

    code, status = "llm_rejected", 422


class ModelUnavailable(AgentFailed):
    """The model did not answer, or answered something that is no answer."""

    code, status, exit_code = "llm_unavailable", 502, EXIT_RETRYABLE


class OutOfTime(AgentFailed):
    """The deadline of the execution passed."""

    code, status, exit_code = "agent_timeout", 504, EXIT_RETRYABLE


class Abandoned(AgentFailed):
    """The caller has hung up."""

    code, status = "abandoned", 499
