"""One brain leads; whoever slept through its lease commits nothing."""

import asyncio

import pytest

from control_brain.logic import LEASE
from services.chassis.errors import StaleEpoch, Unavailable
from services.chassis.ids import new_id
from services.chassis.leases import Lease
from services.chassis.testing import TestPlatform
from services.contracts.control_brain import ControlBrainClient
from tests.control_brain.conftest import QUICK_BRAIN, QUICK_NODES
from tests.control_brain.deploying import deployed, in_state, leading
from tests.control_brain.node import node
from tests.platform import make_agent, make_organisation, platform_of
from tests.waiting import until_told


async def test_a_standby_takes_over_and_goes_on(platform: TestPlatform, environment: dict[str, str]) -> None:
    first = await leading(platform)
    async with platform_of(["control-brain"], environment, overrides=[QUICK_BRAIN, QUICK_NODES]) as standby:
        brain = standby.client(ControlBrainClient)
        state = await brain.state()
        assert not state.is_leader
        assert state.leader == first.leader
        with pytest.raises(Unavailable):
            await brain.restart(new_id(), new_id())
        async with node(platform):
            # The leader falls silent, as if paused: its lease runs out and it may not renew it.
            await platform.db.execute(
                "UPDATE leases SET holder = $2, epoch = epoch + 1, expires_at = now() + interval '1 second'"
                " WHERE name = $1",
                LEASE,
                new_id(),
            )
            await until_told(brain.state, lambda seen: seen.leader not in {None, first.leader})
            state = await until_told(brain.state, lambda seen: seen.epoch >= first.epoch + 2)
            leader = standby if (await brain.state()).is_leader else platform
            await in_state(leader, *await deployed(leader))


async def test_a_stale_epoch_commits_nothing(platform: TestPlatform) -> None:
    brain = platform.logic("control-brain")
    fence = brain._leadership.fence
    await platform.db.execute(
        "UPDATE leases SET holder = $2, epoch = epoch + 1, expires_at = now() + interval '1 hour'"
        " WHERE name = $1",
        LEASE,
        new_id(),
    )
    async with node(platform) as there:
        org_id = await make_organisation(platform.db)
        agent_id = await make_agent(platform.db, org_id)
        with pytest.raises(StaleEpoch):
            await brain._reconciler.some(fence, [agent_id])
        with pytest.raises(StaleEpoch):
            await brain.reconcile(fence)
        await asyncio.sleep(0.5)
        for table in ("commands", "agent_instances", "agent_status", "brain_decisions"):
            assert not await platform.db.fetch(f"SELECT FROM {table}"), table
        assert not there.taken


async def test_a_leader_paused_in_its_transaction_holds_off_the_next(platform: TestPlatform) -> None:
    db = platform.db
    paused, next_one = Lease(db, "test", ttl_seconds=0.3), Lease(db, "test", ttl_seconds=30)
    fence = await paused.hold()
    assert fence is not None
    async with db.system() as connection:
        await fence.check(connection)
        await asyncio.sleep(0.5)
        taking = asyncio.create_task(next_one.hold())
        await asyncio.sleep(0.3)
        assert not taking.done()
    taken = await taking
    assert taken is not None
    assert taken.epoch == fence.epoch + 1
    with pytest.raises(StaleEpoch):
        async with db.system() as connection:
            await fence.check(connection)
