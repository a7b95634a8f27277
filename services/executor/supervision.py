"""Seeing one workload through: prepared, started, probed, stopped, ended; or found again after a restart."""

import asyncio
import contextlib
from datetime import UTC, datetime

import structlog

from services.chassis.clock import Clock
from services.chassis.errors import PlatformError, Unavailable
from services.contracts.agent_gateway import AgentGatewayClient, IssueKey, VirtualKey
from services.contracts.agents import Cause, InstanceState
from services.executor.bundle import BundleRefused
from services.executor.dependencies import BuildFailed
from services.executor.docker_images import ImageRefused
from services.executor.driver import Driver
from services.executor.exits import exit_of
from services.executor.held import Held, Wakes
from services.executor.probes import Health, ask, judge
from services.executor.settings import ExecutorSettings

log = structlog.get_logger()

LAST_LINES = 50
FIRST_PROBE_PAUSE, LONGEST_FIRST_PAUSE = 0.02, 0.5
KEY_RETRY_SECONDS = 0.5


class Supervision:
    """Runs one task for each workload of the node; whatever it learns it writes into the `Held`."""

    def __init__(
        self,
        driver: Driver,
        gateway: AgentGatewayClient,
        settings: ExecutorSettings,
        clock: Clock,
        wakes: Wakes,
    ) -> None:
        self._driver, self._gateway = driver, gateway
        self._settings, self._clock = settings, clock
        self._wakes = wakes

    async def see_through(self, held: Held) -> None:
        """Bring a workload from wherever it is to its end; cancelling this leaves its process alone."""
        workload, driver = held.workload, self._driver
        observed = driver.observe(workload)
        if observed.ended is None:
            if observed.alive or observed.pid is not None:
                held.token_rotated = 0.0
            elif not await self._bring_up(held):
                return
            await self._watch(held)
        self._settle(held)

    async def _bring_up(self, held: Held) -> bool:
        """Start it; False when the executor itself is going away."""
        workload = held.workload
        try:
            if held.predecessor is not None:
                await held.predecessor.ended.wait()
                held.predecessor = None
            if held.stop_reason is None:
                held.preparing = True
                await self._driver.prepare(workload)
                key = await self.key(held)
                held.preparing = False
                await self._driver.start(workload, key)
        except asyncio.CancelledError:
            if held.stop_reason is None:
                return False
        except (BundleRefused, ImageRefused) as error:
            self._driver.give_up(workload, Cause.IMAGE_PULL_FAILED, str(error))
        except (PlatformError, BuildFailed, OSError) as error:
            log.warning("workload.not_started", run_id=str(workload.run_id), reason=str(error))
            self._driver.give_up(workload, "start_failed", str(error))
        held.preparing = False
        observed = self._driver.observe(workload)
        if held.stop_reason and observed.ended is None and not self._stop_now(held):
            self._driver.give_up(workload, held.stop_reason, "stopped before it was started")
        return True

    def _stop_now(self, held: Held) -> bool:
        assert held.stop_reason is not None
        return self._driver.stop(held.workload, held.stop_reason, held.grace_seconds)

    async def key(self, held: Held) -> VirtualKey:
        """A key for this run, asked for until the gateway answers or the time to start is over."""
        order = held.workload.order
        request = IssueKey(
            org_id=order.org_id,
            agent_id=order.agent_id,
            agent_name=order.agent_name,
            instance_id=order.instance_id,
            run_id=order.run_id,
            execution_id=order.execution_id,
            attempt=order.attempt,
            provider_keys=order.spec.provider_keys,
            capture=order.spec.capture,
            egress_allow=order.spec.egress_allow,
            policy=order.spec.policy,
        )
        deadline = self._clock.monotonic() + order.spec.start_timeout_seconds
        while True:
            try:
                issued = await self._gateway.issue_key(request)
                held.token_rotated = self._clock.monotonic()
                return issued
            except Unavailable:
                if self._clock.monotonic() > deadline:
                    raise
                await self._clock.sleep(KEY_RETRY_SECONDS)

    async def _watch(self, held: Held) -> None:
        workload = held.workload
        observed = self._driver.observe(workload)
        held.pid = observed.pid
        if observed.started_at is not None:
            held.started_at = datetime.fromtimestamp(observed.started_at / 1000, UTC)
        if held.state is not InstanceState.STOPPING:
            held.state = InstanceState.RUNNING if workload.is_job else InstanceState.STARTING
            held.health = Health(ready=workload.is_job)
        self._wakes.changed.set()
        probing = None if workload.is_job else asyncio.ensure_future(self._probe(held))
        try:
            await self._driver.wait(workload)
        finally:
            if probing is not None:
                probing.cancel()
        if self._driver.observe(workload).ended is None:
            self._driver.give_up(workload, "lost", "its shim was killed, and the agent with it")

    async def _probe(self, held: Held) -> None:
        """Probe often until it is ready, then every few seconds; replace it when it stays silent."""
        spec, port = held.workload.order.spec, held.workload.record.port
        deadline = self._clock.monotonic() + spec.start_timeout_seconds
        pause = FIRST_PROBE_PAUSE
        while True:
            answer = await ask(port, spec.health_path, self._settings.probe_timeout)
            was_ready = held.health.ready
            # While it starts, a miss says nothing yet; the time to start is the limit.
            held.health = judge(held.health if held.ready_at else Health(), answer)
            if held.health.ready != was_ready:
                self._became(held)
            if held.ready_at is None:
                if self._clock.monotonic() > deadline:
                    self._fail_probe(
                        held, f"not ready within {spec.start_timeout_seconds} s: {answer.reason}"
                    )
                pause = min(pause * 1.5, LONGEST_FIRST_PAUSE)
            else:
                if held.health.must_restart:
                    self._fail_probe(held, answer.reason or spec.health_path)
                pause = self._settings.probe_seconds
            await self._clock.sleep(pause)

    def _became(self, held: Held) -> None:
        if held.health.ready:
            held.ready_at = held.ready_at or self._clock.now()
            if held.state is InstanceState.STARTING:
                held.state = InstanceState.RUNNING
        self._wakes.changed.set()

    def _fail_probe(self, held: Held, reason: str) -> None:
        if held.stop_reason is None:
            held.failed_probe = reason
            (held.workload.place / "failed_probe").write_text(reason)
            self.stop(held, Cause.PROBE_FAILED, held.workload.order.spec.stop_grace_seconds)

    def stop(self, held: Held, reason: str, grace_seconds: float) -> None:
        """End a workload gracefully, wherever it is in its life."""
        if held.exit is not None:
            return
        first = held.stop_reason is None
        held.stop_reason, held.grace_seconds = held.stop_reason or reason, grace_seconds
        if held.state is not InstanceState.PENDING:
            held.state = InstanceState.STOPPING
            held.health = Health()
        if not self._stop_now(held) and held.preparing and first and held.task is not None:
            held.task.cancel()
        self._wakes.changed.set()

    def kill(self, held: Held, reason: str) -> None:
        """End a workload at once."""
        self.stop(held, reason, 0)
        self._driver.kill(held.workload, reason)

    def _settle(self, held: Held) -> None:
        """Note the end."""
        ended = self._driver.observe(held.workload).ended
        assert ended is not None
        with contextlib.suppress(FileNotFoundError):
            held.failed_probe = (held.workload.place / "failed_probe").read_text()
        lines = self._driver.last_lines(held.workload, LAST_LINES)
        held.exit = exit_of(ended, lines, held.failed_probe)
        held.state = InstanceState.EXITED
        held.health = Health()
        held.pid = None
        held.started_at = datetime.fromtimestamp(ended.started_at / 1000, UTC)
        held.finished_at = datetime.fromtimestamp(ended.ended_at / 1000, UTC)
        held.ended.set()
        self._wakes.ended.set()
        self._wakes.changed.set()
