"""What the brain finds to do, slot by slot; and that doing it converges."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_brain.backoff import delay_seconds
from control_brain.differences import differences
from control_brain.reconcile import Plan, plan
from control_brain.state import AgentView, InstanceView, Snapshot
from control_brain.verdict import verdict
from services.chassis.ids import new_id
from services.contracts.agents import AgentState, InstanceState
from tests.control_brain.views import NOW, agent_view, node_view, slot

ENDED: dict[str, Any] = {"observed_state": InstanceState.EXITED, "observed_ready": False, "finished_at": NOW}


def test_nothing_is_done_for_an_agent_at_rest() -> None:
    found = differences(agent_view(slot(0), slot(1), wanted=2), (), NOW)
    assert not (found.starts or found.stops or found.waits or found.retirements)


def test_missing_slots_start_and_surplus_stops() -> None:
    assert [start.ordinal for start in differences(agent_view(slot(1), wanted=3), (), NOW).starts] == [0, 2]
    found = differences(agent_view(slot(0), slot(1), wanted=1), (), NOW)
    assert [stop.instance.ordinal for stop in found.stops] == [1]


def test_the_first_crash_restarts_at_once_and_the_second_waits() -> None:
    first = differences(agent_view(slot(exit={"code": 1}, **ENDED)), (), NOW)
    assert [(start.kind, start.crash_count) for start in first.starts] == [("restarted", 1)]
    again = slot(exit={"code": 1}, crash_count=1, **ENDED)
    second = differences(agent_view(again), (), NOW)
    assert not second.starts
    (wait,) = second.waits
    assert 9 <= (wait.until - NOW).total_seconds() <= 11
    waiting = replace(again, crash_count=wait.crash_count, backoff_until=wait.until)
    assert not differences(agent_view(waiting), (), NOW).starts
    (start,) = differences(agent_view(waiting), (), wait.until).starts
    assert start.crash_count == 2


def test_ten_healthy_minutes_forgive() -> None:
    healthy = slot(crash_count=5, ready_at=NOW - timedelta(minutes=11), exit={"code": 1}, **ENDED)
    (start,) = differences(agent_view(healthy), (), NOW).starts
    assert start.crash_count == 1


def test_a_kill_from_outside_is_not_held_against_the_agent() -> None:
    worked = {"ready_at": NOW - timedelta(seconds=6), "crash_count": 3, **ENDED}
    (start,) = differences(agent_view(slot(exit={"signal": 9}, **worked)), (), NOW).starts
    assert start.crash_count == 3
    for own_fault in ({"oom_killed": True}, {"cause": "probe_failed"}, {"failed_probe": "/healthz"}):
        assert differences(agent_view(slot(exit={"signal": 9, **own_fault}, **worked)), (), NOW).waits
    early = {**worked, "ready_at": NOW - timedelta(seconds=1)}
    assert differences(agent_view(slot(exit={"signal": 9}, **early)), (), NOW).waits


def test_a_lost_instance_is_replaced_only_once_it_is_said_to_be_lost() -> None:
    lost = slot(observed_state=InstanceState.LOST, observed_ready=False)
    (start,) = differences(agent_view(lost, singleton=True), (), NOW).starts
    assert start.kind == "replaced"
    unready = slot(observed_ready=False)
    assert not differences(agent_view(unready, singleton=True), (), NOW).starts
    unknown = slot(observed_incarnation=0, observed_state=InstanceState.PENDING)
    assert not differences(agent_view(unknown, singleton=True), (), NOW).starts


def test_what_is_known_of_an_earlier_incarnation_does_not_count() -> None:
    ordered = slot(incarnation=2, observed_incarnation=1, **ENDED)
    found = differences(agent_view(ordered), (), NOW)
    assert not (found.starts or found.waits)
    assert verdict(agent_view(ordered), found, []).ready_replicas == 0


@pytest.mark.parametrize(("wanted", "at_once"), [(1, 1), (5, 1), (10, 1), (30, 3)])
def test_a_new_generation_replaces_a_tenth_at_a_time(wanted: int, at_once: int) -> None:
    slots = [slot(ordinal) for ordinal in range(wanted)]
    found = differences(agent_view(*slots, wanted=wanted, generation=2), (), NOW)
    assert [stop.instance.ordinal for stop in found.stops] == list(range(at_once))
    stopping = [replace(each, wants_to_run=False, desired_at=NOW) for each in slots[:at_once]]
    under_way = stopping + slots[at_once:]
    assert not differences(agent_view(*under_way, wanted=wanted, generation=2), (), NOW).stops


def test_a_broken_new_generation_stops_the_roll_out() -> None:
    broken = slot(0, generation=2, crash_count=4, backoff_until=NOW + timedelta(minutes=5), **ENDED)
    agent = agent_view(broken, slot(1), slot(2), wanted=3, generation=2)
    found = differences(agent, (), NOW)
    assert not found.stops
    assert verdict(agent, found, []).state is AgentState.DEGRADED


def test_a_stopped_agent_is_stopped_killed_and_retired() -> None:
    running = slot()
    (stop,) = differences(agent_view(running, wanted=0), (), NOW).stops
    assert stop.kind == "stop"
    stubborn = replace(running, wants_to_run=False)
    (kill,) = differences(agent_view(stubborn, wanted=0), (), NOW).stops
    assert kill.kind == "kill"
    told = replace(stubborn, kill_ordered=True)
    assert not differences(agent_view(told, wanted=0), (), NOW).stops
    gone = slot(wants_to_run=False, **ENDED)
    assert differences(agent_view(gone, wanted=0), (), NOW).retirements == [gone]


def test_a_draining_node_is_emptied() -> None:
    there = slot()
    assert there.node_id is not None
    (stop,) = differences(agent_view(there), {there.node_id}, NOW).stops
    assert stop.reason == "its node drains"


@given(st.integers(0, 40), st.integers(0, 10**6))
def test_back_off_grows_to_five_minutes_and_is_the_same_for_every_leader(crashes: int, seed: int) -> None:
    instance_id = new_id()
    delay = delay_seconds(crashes, instance_id, seed)
    assert delay == delay_seconds(crashes, instance_id, seed)
    base = 0 if crashes == 0 else min(10 * 2.0 ** (crashes - 1), 300)
    assert 0.9 * base <= delay <= 1.1 * base


STATES = st.sampled_from(list(InstanceState))


@st.composite
def agents(draw: st.DrawFn) -> AgentView:
    """Any agent in any condition."""
    slots = [
        slot(
            ordinal,
            generation=draw(st.integers(1, 2)),
            observed_state=draw(STATES),
            observed_ready=draw(st.booleans()),
            wants_to_run=draw(st.booleans()),
            incarnation=draw(st.integers(1, 2)),
            crash_count=draw(st.integers(0, 8)),
        )
        for ordinal in draw(st.sets(st.integers(0, 12), max_size=8))
    ]
    return agent_view(*slots, wanted=draw(st.integers(0, 12)), generation=2)


@settings(max_examples=200)
@given(agents())
def test_orders_carried_out_lead_to_what_is_wanted_and_then_to_silence(agent: AgentView) -> None:
    nodes, now = [node_view(f"n{i}", capacity_millicores=10**6) for i in range(3)], NOW
    for _ in range(60):
        made = plan(Snapshot(now, [agent], {node.id: node for node in nodes}), new_id, 100)
        agent = carried_out(agent, made)
        now += timedelta(seconds=310)
    assert made.empty, made
    assert agent.status is not None
    assert [each.ordinal for each in agent.instances] == list(range(agent.wanted))
    assert all(each.ready and each.generation == 2 for each in agent.instances)
    assert agent.status.state is (AgentState.RUNNING if agent.wanted else AgentState.STOPPED)
    assert agent.status.ready_replicas == agent.wanted


def carried_out(agent: AgentView, made: Plan) -> AgentView:
    """The agent once its node has done what the plan orders."""
    slots = {each.ordinal: each for each in agent.instances}
    for each in list(slots.values()):
        slots[each.ordinal] = _seen(each)
    for pause in made.pauses:
        before = slots[pause.wait.instance.ordinal]
        slots[before.ordinal] = replace(
            before, backoff_until=pause.wait.until, crash_count=pause.wait.crash_count
        )
    for gone in made.retirements:
        del slots[gone.ordinal]
    for halt in made.halts:
        before = slots[halt.stop.instance.ordinal]
        slots[before.ordinal] = _ended(replace(before, wants_to_run=False))
    for launch in made.launches:
        incarnation = launch.incarnation
        slots[launch.start.ordinal] = slot(
            launch.start.ordinal,
            id=launch.instance_id,
            generation=agent.generation,
            incarnation=incarnation,
            observed_incarnation=incarnation,
            node_id=launch.node.id,
        )
    (word,) = made.words or (None,)
    ordered = tuple(slots[ordinal] for ordinal in sorted(slots))
    return replace(agent, instances=ordered, status=word.status if word else agent.status)


def _seen(each: InstanceView) -> InstanceView:
    """A node says how it is with what it was told before."""
    if each.state in {InstanceState.EXITED, InstanceState.LOST}:
        return each
    if not each.wants_to_run:
        return _ended(each)
    return replace(
        each,
        observed_incarnation=each.incarnation,
        observed_state=InstanceState.RUNNING,
        observed_ready=True,
    )


def _ended(each: InstanceView) -> InstanceView:
    return replace(each, observed_incarnation=each.incarnation, **ENDED)
