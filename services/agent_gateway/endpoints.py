"""
The ready instances of service agents, and how many executions each may still take.

Refreshed from node-manager every few seconds and by its events; where they disagree the refresh is right.
An instance missing from it takes no work but keeps what it has, since it may only have missed a probe.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from services.agent_gateway.records import Slot
from services.chassis.clock import Clock
from services.contracts.node_manager import Endpoint


@dataclass
class Place:
    """One ready instance: what it carries, and until when it asked to be left alone."""

    endpoint: Endpoint
    active: int = 0
    suspended_until: float = 0.0
    missing_since: float | None = None


class Endpoints:
    """Where executions can be sent."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._places: dict[UUID, Place] = {}
        self._agents: dict[UUID, set[UUID]] = {}

    def refresh(self, ready: Iterable[Endpoint]) -> None:
        """Take over what node-manager says is ready now."""
        seen = set()
        for endpoint in ready:
            seen.add(endpoint.run_id)
            self.add(endpoint)
        for run_id in [run_id for run_id in self._places if run_id not in seen]:
            self._miss(run_id)

    def add(self, endpoint: Endpoint) -> None:
        """An instance is ready."""
        place = self._places.get(endpoint.run_id)
        if place is None:
            self._places[endpoint.run_id] = Place(endpoint)
            self._agents.setdefault(endpoint.agent_id, set()).add(endpoint.run_id)
        else:
            place.endpoint, place.missing_since = endpoint, None

    def unready(self, run_id: UUID) -> None:
        """An instance takes no new work."""
        if run_id in self._places:
            self._miss(run_id)

    def remove(self, run_id: UUID) -> None:
        """A process is gone."""
        place = self._places.pop(run_id, None)
        if place is not None:
            self._agents[place.endpoint.agent_id].discard(run_id)

    def place(self, run_id: UUID) -> Endpoint | None:
        """How a process is reached."""
        place = self._places.get(run_id)
        return place.endpoint if place else None

    def free_slots(self, agents: Iterable[UUID], most_per_agent: int = 64) -> list[Slot]:
        """Free places of the agents' instances, the least busy instance first."""
        now = self._clock.monotonic()
        slots: list[Slot] = []
        for agent_id in agents:
            open_places = [
                place
                for run_id in self._agents.get(agent_id, ())
                if (place := self._places[run_id]).missing_since is None and place.suspended_until <= now
            ]
            slots.extend(_spread(open_places, most_per_agent))
        return slots

    def take(self, run_id: UUID) -> None:
        """One more execution runs there."""
        if run_id in self._places:
            self._places[run_id].active += 1

    def give_back(self, run_id: UUID) -> None:
        """One execution less runs there."""
        if run_id in self._places:
            place = self._places[run_id]
            place.active = max(0, place.active - 1)
            if place.missing_since is not None and not place.active:
                self.remove(run_id)

    def suspend(self, run_id: UUID, seconds: float) -> None:
        """Leave an instance alone for a while: it said it is busy, or did not answer."""
        if run_id in self._places:
            self._places[run_id].suspended_until = self._clock.monotonic() + seconds

    def other_free(self, agent_id: UUID, but: UUID) -> bool:
        """Whether another instance of the agent could take work now."""
        return any(slot.run_id != but for slot in self.free_slots([agent_id]))

    def missing_longer_than(self, seconds: float) -> list[UUID]:
        """Processes that have not been ready for so long."""
        now = self._clock.monotonic()
        return [
            run_id
            for run_id, place in self._places.items()
            if place.missing_since is not None and now - place.missing_since > seconds
        ]

    def agents(self) -> set[UUID]:
        """Agents with at least one instance known here."""
        return {agent_id for agent_id, runs in self._agents.items() if runs}

    def _miss(self, run_id: UUID) -> None:
        place = self._places[run_id]
        if place.missing_since is None:
            place.missing_since = self._clock.monotonic()
        if not place.active:
            self.remove(run_id)


def _spread(places: list[Place], most: int) -> list[Slot]:
    """Free places in turn over the instances, so that load is even."""
    slots: list[tuple[float, Slot]] = []
    for place in places:
        at = place.endpoint
        slot = Slot(at.agent_id, at.instance_id, at.run_id)
        for carried in range(place.active, at.concurrency):
            slots.append((carried / at.concurrency, slot))
            if len(slots) >= most * 4:
                break
    slots.sort(key=lambda each: each[0])
    return [slot for _, slot in slots[:most]]
