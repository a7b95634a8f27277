"""
How much of each execution was recorded, where that was not known when it ended.

An execution that ends in the hands of the process that counted its steps has its fidelity written with its
end. The journal is asked for the others: those that were cancelled, expired or taken over, those that ended
before fidelity was kept, and those of which a step was stored afterwards, such as a tunnel that stayed open.
"""

import structlog

from services.agent_gateway.fidelity_store import Ended, FidelityStore
from services.agent_gateway.recorder import Recorder
from services.chassis.errors import PlatformError
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.executions import Fidelity

log = structlog.get_logger()

MOST_AT_ONCE = 100


class Fidelities:
    """Finds out the fidelity of executions that have ended."""

    def __init__(self, store: FidelityStore, journal: AgentObservabilityClient, recorder: Recorder) -> None:
        self._store = store
        self._journal = journal
        self._recorder = recorder

    async def settle(self) -> None:
        """Judge what ended unjudged, and again what was added to since."""
        late, self._recorder.late = self._recorder.late, set()
        ended = await self._store.ended(list(late)) if late else []
        while ended or (ended := await self._store.unjudged(MOST_AT_ONCE)):
            try:
                judged = [(each[0], each[1], await self._judged(each)) for each in ended]
            except PlatformError as error:
                self._recorder.late |= late
                log.info("fidelity.postponed", reason=error.detail)
                return
            await self._store.judge(judged)
            ended = []

    async def _judged(self, ended: Ended) -> Fidelity:
        org_id, execution_id, steps = ended
        totals = await self._journal.totals(org_id, execution_id)
        return Fidelity.NONE if totals.steps < steps else totals.fidelity
