"""
Executions with a process of their own for each attempt, which the brain is asked for.

The attempt of an L0 job is completed by what its executor reports. A fork of a service agent (`serves`)
gets a process that serves, is asked over HTTP once that is ready, and has it stopped at the end.

Both ends are idempotent for `(execution, attempt)`: a gateway that starts again asks for the same process,
and a report that comes twice changes nothing.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import structlog

from services.agent_gateway.active import ActiveExecutions
from services.agent_gateway.dispatcher import Dispatcher
from services.agent_gateway.outcomes import (
    Accepted,
    Busy,
    Failed,
    Interrupted,
    Succeeded,
    gone,
    how_it_ended,
)
from services.agent_gateway.queue_store import QueueStore
from services.agent_gateway.records import Active, Transition
from services.agent_gateway.replay.given_answers import GivenAnswers
from services.agent_gateway.watching import Watchers
from services.chassis.clock import Clock
from services.chassis.errors import Invalid, NotFound, PlatformError
from services.contracts.agent_gateway import JobFinished
from services.contracts.agents import Cause, InstanceExit
from services.contracts.control_brain import ControlBrainClient, RunJob
from services.contracts.executions import Answer, ExecutionStatus
from services.contracts.node_manager import Endpoint

log = structlog.get_logger()

ACTOR = "agent-gateway"
RETRYABLE_EXIT = 75
ASK_AGAIN_SECONDS = 1.0
REPORT_GRACE_SECONDS = 10.0


class Jobs:
    """Starts job processes and takes their results."""

    def __init__(
        self,
        queue: QueueStore,
        dispatcher: Dispatcher,
        active: ActiveExecutions,
        brain: ControlBrainClient,
        watchers: Watchers,
        clock: Clock,
        in_flight: int,
        answers: GivenAnswers,
    ) -> None:
        self._queue = queue
        self._dispatcher = dispatcher
        self._active = active
        self._brain = brain
        self._watchers = watchers
        self._clock = clock
        self._in_flight = in_flight
        self._answers = answers
        self._to_stop: dict[UUID, UUID] = {}
        self._to_answer: dict[UUID, Answer] = {}
        self._exited: dict[UUID, tuple[float, InstanceExit | None]] = {}
        self._ready: dict[UUID, Endpoint] = {}
        self._became_ready = asyncio.Condition()
        self.wake = asyncio.Event()

    async def dispatch(self) -> None:
        """Claim job executions while few enough are being started."""
        while True:
            starting = sum(
                1
                for each in self._active.all()
                if each.mode == "job" and each.status is ExecutionStatus.SCHEDULED
            )
            room = self._in_flight - starting
            claimed = await self._queue.claim_jobs(room) if room > 0 else []
            for active in claimed:
                self.take_up(active)
            if not claimed:
                return

    def take_up(self, active: Active) -> None:
        """See to a job execution: a fresh claim, or one whose gateway went away."""
        self._active.add(active)
        self._watchers.changed(active.id)
        self._dispatcher.start(active, self._start(active))

    async def finished(self, report: JobFinished) -> None:
        """Complete the attempt that the report is about; others are over and left alone."""
        active = self._active.get(report.execution_id) or await self._queue.load(report.execution_id)
        if active is None or active.org_id != report.org_id or active.attempt != report.attempt:
            return
        if active.last_step == 0:
            await self._dispatcher.count_steps(active)
        await self._dispatcher.finish(active, outcome_of(report))

    async def started(self, execution_id: UUID, run_id: UUID, instance_id: UUID) -> None:
        """The process of a job runs."""
        active = self._active.get(execution_id)
        if active is None or active.serves or active.status is ExecutionStatus.RUNNING:
            return
        self._active.runs_in(active, run_id)
        active.instance_id = instance_id
        await self._move(active, ExecutionStatus.RUNNING)

    async def refresh(self, ready: Sequence[Endpoint]) -> None:
        """Take over which processes made for an execution are ready."""
        async with self._became_ready:
            self._ready = {each.execution_id: each for each in ready if each.execution_id is not None}
            self._became_ready.notify_all()

    async def exited(self, execution_id: UUID, run_id: UUID, how: InstanceExit | None) -> None:
        """The process ended; a job's result is waited for a little longer, one that serves has failed."""
        active = self._active.get(execution_id)
        if active is None or active.run_id not in {None, run_id}:
            return
        if active.serves:
            await self._dispatcher.lose(active, gone(how))
        else:
            self._exited.setdefault(execution_id, (self._clock.monotonic(), how))

    def stop(self, org_id: UUID, execution_id: UUID) -> None:
        """Have the process of an ended execution stopped."""
        self._to_stop[execution_id] = org_id
        self.wake.set()

    async def tidy(self) -> None:
        """Stop processes nobody needs, and give up on results that do not come."""
        for execution_id, org_id in list(self._to_stop.items()):
            try:
                await self._brain.stop_job(org_id, execution_id)
            except NotFound:
                pass
            except PlatformError as error:
                log.info("job.stop_postponed", execution_id=str(execution_id), reason=error.detail)
                continue
            self._to_stop.pop(execution_id, None)
            # Not before: stopping means whichever process works for the execution, the next one too.
            if (answer := self._to_answer.pop(execution_id, None)) is not None:
                await self._dispatcher.resume(org_id, execution_id, answer, ACTOR)
                self.wake.set()
        now = self._clock.monotonic()
        for execution_id, (since, how) in list(self._exited.items()):
            active = self._active.get(execution_id)
            if active is None:
                del self._exited[execution_id]
            elif now - since > REPORT_GRACE_SECONDS:
                del self._exited[execution_id]
                await self._dispatcher.lose(active, _unreported(how))

    async def _start(self, active: Active) -> None:
        request = _request(active)
        while True:
            try:
                if active.attempt > 1 and active.last_step == 0:
                    await self._dispatcher.count_steps(active)
                instance = await self._brain.run_job(request)
                break
            except (Invalid, NotFound) as error:
                failure = Failed(Cause.START_FAILED, error.detail, retryable=False)
                await self._dispatcher.finish(active, failure)
                return
            except PlatformError as error:
                log.info("job.start_postponed", execution_id=str(active.id), reason=error.detail)
                await asyncio.sleep(ASK_AGAIN_SECONDS)
        self._active.runs_in(active, instance.run_id)
        active.instance_id = instance.id
        if active.status is ExecutionStatus.SCHEDULED:
            await self._move(active, ExecutionStatus.STARTING)
        if active.serves:
            await self._serve(active, await self._readiness(active))

    async def _readiness(self, active: Active) -> Endpoint:
        async with self._became_ready:
            while True:
                endpoint = self._ready.get(active.id)
                if endpoint is not None and endpoint.run_id == active.run_id:
                    return endpoint
                await self._became_ready.wait()

    async def _serve(self, active: Active, endpoint: Endpoint) -> None:
        await self._move(active, ExecutionStatus.RUNNING)
        outcome = await self._dispatcher.ask(active, endpoint.endpoint)
        if isinstance(outcome, Accepted):
            return
        if isinstance(outcome, Busy):
            # Nobody else works there: a process that is busy from its start will not get better.
            outcome = Failed(Cause.AGENT_ERROR, outcome.message)
        finished = await self._dispatcher.finish(active, outcome)
        if finished and isinstance(outcome, Interrupted):
            await self._asked(active, outcome.interrupt_id)
        elif finished and active.status.terminal:
            self.stop(active.org_id, active.id)

    async def _asked(self, active: Active, interrupt_id: str) -> None:
        """Stop the process of an execution that asks; what its recording was answered is the answer."""
        try:
            answer = await self._answers.to(active, interrupt_id)
            if answer is not None:
                self._to_answer[active.id] = answer
        finally:
            self.stop(active.org_id, active.id)

    async def _move(self, active: Active, status: ExecutionStatus) -> None:
        await self._dispatcher.change(
            active,
            Transition(
                execution_id=active.id,
                epoch=active.epoch,
                status=status,
                failures=active.failures,
                totals=active.totals,
                instance_id=active.instance_id,
                run_id=active.run_id,
            ),
        )


def _request(active: Active) -> RunJob:
    plan = active.replay
    return RunJob(
        org_id=active.org_id,
        agent_id=active.agent_id,
        agent_version=active.agent_version if plan is not None else None,
        execution_id=active.id,
        attempt=active.attempt,
        input=active.input,
        deadline_at=active.deadline_at,
        egress=plan is None or plan.allow_egress,
    )


def outcome_of(report: JobFinished) -> Succeeded | Failed:
    """Exit 0 is success, 75 asks for another attempt, anything else has failed."""
    how = report.exit
    if how.code == 0 and how.cause is None:
        return Succeeded(report.output if report.has_output else None)
    return Failed(
        cause=how.cause or (Cause.AGENT_ERROR if how.code == RETRYABLE_EXIT else Cause.EXIT_NONZERO),
        message=how.message or how_it_ended(how),
        retryable=how.code == RETRYABLE_EXIT or how.cause not in {None, Cause.AGENT_ERROR},
        exit_code=how.code,
        oom_killed=how.oom_killed,
        failed_probe=how.failed_probe,
        last_log=how.last_log,
    )


def _unreported(how: InstanceExit | None) -> Failed:
    message = "the process ended and its result was not reported"
    if how is None:
        return Failed(Cause.INSTANCE_REPLACED, message)
    return Failed(
        cause=Cause.INSTANCE_REPLACED,
        message=message,
        exit_code=how.code,
        oom_killed=how.oom_killed,
        failed_probe=how.failed_probe,
        last_log=how.last_log,
    )
