"""What leaves the node besides its inventory: log lines, results of jobs, and fresh tokens coming in."""

from collections.abc import Mapping
from uuid import UUID

import structlog

from services.chassis.clock import Clock
from services.chassis.errors import Conflict, NotFound, PlatformError, Unavailable
from services.contracts.agent_gateway import AgentGatewayClient, JobFinished
from services.contracts.agents import InstanceExit, InstanceState
from services.contracts.log_processor import LogBatch, LogProcessorClient
from services.executor.driver import Driver
from services.executor.held import Held
from services.executor.logs import Cursor
from services.executor.settings import ExecutorSettings
from services.executor.supervision import Supervision

log = structlog.get_logger()

LINES_PER_BATCH, LINES_PER_CALL = 1_000, 5_000


class Telling:
    """Repeats each message until it was taken; every receiver knows a repetition when it sees one."""

    def __init__(
        self,
        driver: Driver,
        gateway: AgentGatewayClient,
        logs: LogProcessorClient,
        supervision: Supervision,
        settings: ExecutorSettings,
        clock: Clock,
    ) -> None:
        self._driver, self._gateway, self._logs = driver, gateway, logs
        self._supervision, self._settings, self._clock = supervision, settings, clock

    async def ship_logs(self, held: Mapping[UUID, Held]) -> None:
        """Send the lines that were written since the last time, and remember how far."""
        batches: list[LogBatch] = []
        moved: list[tuple[Held, Cursor]] = []
        total = 0
        for one in list(held.values()):
            if one.logs_done or total >= LINES_PER_CALL:
                continue
            # An end seen before the read means that nothing can follow what is read.
            ended = one.exit is not None
            lines, cursor = self._driver.logs(one.workload, one.cursor, LINES_PER_BATCH)
            if not lines:
                one.logs_done = ended
                continue
            order = one.workload.order
            batches.append(
                LogBatch(
                    org_id=order.org_id,
                    agent_id=order.agent_id,
                    instance_id=order.instance_id,
                    run_id=order.run_id,
                    execution_id=order.execution_id,
                    lines=lines,
                )
            )
            moved.append((one, cursor))
            total += len(lines)
        if batches:
            await self._ingest(batches)
            for one, cursor in moved:
                one.save_cursor(cursor)

    async def _ingest(self, batches: list[LogBatch]) -> None:
        try:
            await self._logs.ingest(batches)
        except Unavailable:
            raise
        except PlatformError as error:
            if len(batches) == 1:
                log.warning("logs.not_taken", run_id=str(batches[0].run_id), reason=error.detail)
                return
            for batch in batches:
                await self._ingest([batch])

    async def tell_ends(self, held: Mapping[UUID, Held]) -> None:
        """Give the gateway the results of ended jobs, and take back the keys of all that ended."""
        for one in list(held.values()):
            if one.exit is None or one.delivered:
                continue
            try:
                if one.workload.is_job and one.workload.order.execution_id is not None:
                    await self._finish_job(one, one.workload.order.execution_id, one.exit)
                await self._gateway.revoke_keys(one.workload.run_id)
            except (NotFound, Conflict) as error:
                log.info("end.not_wanted", run_id=str(one.workload.run_id), reason=error.detail)
            except Unavailable:
                raise
            except PlatformError as error:
                # One end that the gateway cannot take must not hold up the others.
                log.warning("end.not_taken", run_id=str(one.workload.run_id), reason=error.detail)
                continue
            one.mark_delivered()

    async def _finish_job(self, held: Held, execution_id: UUID, ended: InstanceExit) -> None:
        order, output = held.workload.order, self._driver.output(held.workload)
        await self._gateway.job_finished(
            JobFinished(
                org_id=order.org_id,
                execution_id=execution_id,
                attempt=order.attempt,
                instance_id=order.instance_id,
                run_id=order.run_id,
                exit=ended,
                output=output.value,
                has_output=output.found,
            )
        )

    async def rotate_tokens(self, held: Mapping[UUID, Held]) -> None:
        """Replace tokens before they expire; those an earlier executor wrote, at once."""
        now = self._clock.monotonic()
        for one in list(held.values()):
            running = one.state in {InstanceState.STARTING, InstanceState.RUNNING}
            if not running or (one.token_rotated and now - one.token_rotated < self._settings.token_seconds):
                continue
            try:
                key = await self._supervision.key(one)
                self._driver.write_token(one.workload, key.token)
            except (PlatformError, OSError) as error:
                log.warning("token.not_rotated", run_id=str(one.workload.run_id), reason=str(error))
