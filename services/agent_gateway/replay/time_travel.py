"""The parts of time travel, put together."""

import asyncio
from dataclasses import dataclass

from services.agent_gateway.active import ActiveExecutions
from services.agent_gateway.dispatcher import Dispatcher
from services.agent_gateway.execution_store import ExecutionStore
from services.agent_gateway.replay.comparing import Comparisons
from services.agent_gateway.replay.fork_store import ForkStore
from services.agent_gateway.replay.forks import Forks
from services.agent_gateway.replay.mask_store import MaskStore
from services.agent_gateway.replay.masking import Masking
from services.agent_gateway.replay.replays import Replays
from services.agent_gateway.replay.straying import Straying
from services.agent_gateway.spending.stops import Stops
from services.agent_gateway.watching import Watchers
from services.chassis.resources import Resources
from services.contracts.agent_observability import AgentObservabilityClient


@dataclass(frozen=True)
class TimeTravel:
    """The gate that answers from the journal, the verbs that make forks, and the masks."""

    replays: Replays
    forks: Forks
    masks: MaskStore
    comparisons: Comparisons


def time_travel(
    resources: Resources,
    dispatcher: Dispatcher,
    active: ActiveExecutions,
    watchers: Watchers,
    new_jobs: asyncio.Event,
    stops: Stops,
) -> TimeTravel:
    """Time travel on these resources."""
    journal = resources.client(AgentObservabilityClient)
    forks, masks, executions = ForkStore(resources.db), MaskStore(resources.db), ExecutionStore(resources.db)
    straying = Straying(journal, forks, dispatcher, active, watchers)
    return TimeTravel(
        replays=Replays(journal, forks, Masking(journal, masks), straying, active),
        forks=Forks(forks, executions, journal, watchers, resources.outbox, new_jobs, stops),
        masks=masks,
        comparisons=Comparisons(executions, journal),
    )
