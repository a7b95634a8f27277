"""
What A2A's methods do: a message is the input of a child, or the answer it waits for; look, follow, cancel.

An agent sees the tasks that it made, in whichever of its executions, and no others: `TaskNotFound`. It speaks
to, and cancels, those of the execution that asks only; so a fork leaves the tasks of its original alone.
"""

from collections.abc import Awaitable, Callable
from uuid import UUID

from services.agent_gateway.calls import Call
from services.agent_gateway.records import Active
from services.agent_gateway.tools.a2a.messages import (
    INPUT_REQUIRED,
    changed,
    closing,
    context_of,
    given_by,
    opening,
    said_in,
    state_of,
)
from services.agent_gateway.tools.a2a.rpc import (
    TASK_NOT_CANCELABLE,
    TASK_NOT_FOUND,
    UNSUPPORTED_OPERATION,
    a2a_error,
)
from services.agent_gateway.tools.agent_tools import AgentTools, actor_of, invocation
from services.agent_gateway.tools.protocol import INVALID_PARAMS, Json, RpcError
from services.agent_gateway.tools.waiting import Waiting
from services.chassis.errors import NotFound
from services.contracts.agents import Cause
from services.contracts.executions import Answer, Execution, ExecutionStatus

LOOK_SECONDS = 30.0
PAGE = 500
Tell = Callable[[Json], Awaitable[None]]


class Tasks:
    """Does what A2A's methods ask, with executions."""

    def __init__(self, agents: AgentTools, waiting: Waiting) -> None:
        self._agents = agents
        self._waiting = waiting

    async def send(self, call: Call, active: Active, arguments: Json, key: UUID, tell: Tell) -> list[Json]:
        """Give an agent work, or the answer that a task of it waits for; the updates until it is done."""
        if (task_id := arguments.get("task_id")) is not None:
            child, after = await self._answered(active, arguments, task_id)
        else:
            thread_id = arguments.get("thread_id", str(key))
            given = given_by(arguments.get("input"))
            wanted = {"agent": arguments["agent"], "input": given, "thread_id": thread_id}
            child, after = await self._agents.start(call, active, invocation(wanted), key), 0
        if not arguments["wait"]:
            return [opening(child)]
        return await self._followed(active, child, after, tell)

    async def look(self, active: Active, agent: str, task_id: str) -> list[Json]:
        """How a task stands."""
        return [opening(await self._task(active, agent, task_id))]

    async def subscribe(self, active: Active, agent: str, task_id: str, tell: Tell) -> list[Json]:
        """How a task stands, and what follows until it is done."""
        task = await self._task(active, agent, task_id)
        if task.status.terminal:
            raise a2a_error(UNSUPPORTED_OPERATION, f"task {task.id} has ended: {task.status}")
        return await self._followed(active, task, await self._last_seq(task), tell)

    async def cancel(self, active: Active, agent: str, task_id: str) -> list[Json]:
        """End a task."""
        task = await self._child(active, agent, task_id)
        if not task.status.terminal:
            task = await self._agents.executions.cancel(
                active.org_id, task.id, actor_of(active), Cause.CANCELLED_BY_PARENT
            )
        if task.status is not ExecutionStatus.CANCELLED:
            raise a2a_error(TASK_NOT_CANCELABLE, f"task {task.id} has ended: {task.status}")
        return [opening(task)]

    async def _followed(self, active: Active, child: Execution, after: int, tell: Tell) -> list[Json]:
        """The updates of a task until it is done or asks; each is told at once but for those it ends with."""
        updates = [opening(child)]
        await tell(updates[0])
        async with self._waiting.during(active, ExecutionStatus.WAITING_FOR_CHILD):
            while True:
                # Known before its events are read: then those are all there are.
                rests, state = _rests(child), state_of(child)
                seconds = 0.0 if rests else LOOK_SECONDS
                events = await self._agents.executions.events(child.org_id, child.id, after, PAGE, seconds)
                after = events[-1].seq if events else after
                told = [said for each in events if (said := said_in(child, each)) is not None]
                if rests and len(events) < PAGE:
                    return [*updates, *await _tell(told, tell), *closing(child)]
                child = await self._agents.executions.get(child.org_id, child.id)
                if state_of(child) != state and not _rests(child):
                    told.insert(0, changed(child))
                updates += await _tell(told, tell)

    async def _answered(self, active: Active, arguments: Json, task_id: str) -> tuple[Execution, int]:
        """The task once it was given what it waited for, and the last event before that."""
        task = await self._child(active, arguments["agent"], task_id)
        thread_id = arguments.get("thread_id")
        if thread_id not in (None, context_of(task)):
            raise RpcError(INVALID_PARAMS, f"task {task.id} is not of context {thread_id}")
        last, resumed = await self._last_seq(task), None
        if state_of(task) == INPUT_REQUIRED and task.interrupt is not None:
            answer = Answer(interrupt_id=task.interrupt.interrupt_id, value=given_by(arguments.get("input")))
            resumed = await self._agents.executions.resume(active.org_id, task.id, answer, actor_of(active))
        if resumed is None:
            raise a2a_error(
                UNSUPPORTED_OPERATION, f"task {task.id} is {task.status} and waits for no message"
            )
        return resumed, last

    async def _last_seq(self, task: Execution) -> int:
        last = 0
        while events := await self._agents.executions.events(task.org_id, task.id, last, PAGE, 0):
            last = events[-1].seq
        return last

    async def _task(self, active: Active, agent: str, task_id: str) -> Execution:
        try:
            found = await self._agents.executions.get(active.org_id, UUID(task_id))
        except (ValueError, NotFound):
            found = None
        if found is None or (found.agent_name, found.created_by) != (agent, actor_of(active)):
            raise a2a_error(TASK_NOT_FOUND, f"there is no task {task_id[:80]}")
        return found

    async def _child(self, active: Active, agent: str, task_id: str) -> Execution:
        found = await self._task(active, agent, task_id)
        if found.parent_execution_id != active.id:
            message = f"task {found.id} is of another execution, and can only be looked at"
            raise a2a_error(UNSUPPORTED_OPERATION, message)
        return found


def _rests(execution: Execution) -> bool:
    """Whether nothing follows by itself: it has ended, or asks."""
    return execution.status.terminal or state_of(execution) == INPUT_REQUIRED


async def _tell(updates: list[Json], tell: Tell) -> list[Json]:
    for each in updates:
        await tell(each)
    return updates
