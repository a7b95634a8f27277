"""The door for results: `POST /v1/executions/{id}/result`, where an agent that answered 202 delivers."""

from uuid import UUID

import orjson
from starlette.types import Receive, Scope

from services.agent_gateway.active import ActiveExecutions, NotYours
from services.agent_gateway.dispatcher import Dispatcher
from services.agent_gateway.invocation import result_of
from services.agent_gateway.queue_store import QueueStore
from services.agent_gateway.records import Active, Holder
from services.agent_gateway.replies import Reply, read_body
from services.agent_gateway.shapes import error_body

BEFORE, AFTER = "/v1/executions/", "/result"


class ResultDoor:
    """Takes the results of executions."""

    def __init__(
        self, active: ActiveExecutions, queue: QueueStore, dispatcher: Dispatcher, max_body: int
    ) -> None:
        self._active = active
        self._queue = queue
        self._dispatcher = dispatcher
        self._max_body = max_body

    def route(self, method: str, path: str) -> str | None:
        """The route of a request; null when it is not answered here."""
        ours = method == "POST" and path.startswith(BEFORE) and path.endswith(AFTER)
        return f"{BEFORE}{{id}}{AFTER}" if ours else None

    async def answer(
        self, scope: Scope, receive: Receive, holder: Holder, active: Active | None, reply: Reply
    ) -> None:
        """Complete the execution that the path names."""
        body = await read_body(receive, self._max_body)
        named = await self._named(scope["path"].removeprefix(BEFORE).removesuffix(AFTER), holder)
        if await self._dispatcher.finish(named, result_of(body)):
            await reply.whole(200, orjson.dumps({"execution_id": str(named.id), "accepted": True}))
        else:
            message = f"Execution {named.id} has ended already."
            await reply.whole(409, error_body("illegal_state", "invalid_request_error", message))

    async def _named(self, named: str, holder: Holder) -> Active:
        try:
            execution_id = UUID(named)
        except ValueError:
            raise NotYours(f"{named[:80]!r} is not an execution's id") from None
        active = self._active.get(execution_id) or await self._queue.load(execution_id)
        if (
            active is None
            or active.run_id != holder.run_id
            or holder.execution_id not in {None, execution_id}
        ):
            raise NotYours(f"this key is not good for execution {execution_id}, or it has ended")
        return active
