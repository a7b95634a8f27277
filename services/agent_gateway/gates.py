"""
The gates that every call passes before it leaves the platform, in one order: policy, replay, budget.

A gate lets a call pass, answers it in the provider's place, or refuses it. Model calls, tool calls and calls
between agents pass the same gates; `call.kind` tells them apart.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from services.agent_gateway.answers import Answer
from services.agent_gateway.calls import Call


class Gate(Protocol):
    """One thing that must be settled before a call may leave."""

    async def admit(self, call: Call, body: dict[str, Any]) -> Answer | None:
        """Let the call pass (null) or answer it; raises `Refused`. `body` is the request, parsed."""

    def settle(self, call: Call) -> None:
        """The call has ended, however it did: `call.spent` says what it came to. Called once a call."""


class Gates:
    """The gates in their order."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        self._gates = gates

    async def admit(self, call: Call, body: dict[str, Any]) -> Answer | None:
        """What answers the call in the provider's place; null when it may go out."""
        for gate in self._gates:
            answer = await gate.admit(call, body)
            if answer is not None:
                return answer
        return None

    def settle(self, call: Call) -> None:
        """Tell every gate that the call has ended."""
        for gate in self._gates:
            gate.settle(call)
