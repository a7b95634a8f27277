"""
The doors of the agents' face: each answers some paths.

A door names the route of a request it answers, which metrics and traces show, and then answers it. What a
request is not allowed to do it says by raising: `Refused`, `NotYours`, `TooBig` or a `PlatformError`.
"""

from typing import Protocol

from starlette.types import Receive, Scope

from services.agent_gateway.records import Active, Holder
from services.agent_gateway.replies import Reply


class Door(Protocol):
    """Answers the agents' requests for some paths."""

    def route(self, method: str, path: str) -> str | None:
        """The route of a request, ids replaced by their names; null when it is not answered here."""

    async def answer(
        self, scope: Scope, receive: Receive, holder: Holder, active: Active | None, reply: Reply
    ) -> None:
        """Answer it; `active` is the execution it belongs to, null when that cannot be known."""
