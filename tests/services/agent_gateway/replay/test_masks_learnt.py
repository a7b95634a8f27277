"""Masks: learnt from one replay at no cost, used once approved, and no hiding place for real differences."""

from services.contracts.executions import Execution
from services.contracts.time_travel import DecideMask
from tests.services.agent_gateway.replay.conftest import Travel


async def calibrated(travel: Travel, source: Execution) -> Execution:
    made = await travel.client.calibrate(travel.world.org_id, source.id, "user:t")
    return await travel.world.client.wait(travel.world.org_id, made.id, 30)


async def test_what_cannot_be_masked_is_not(travel: Travel) -> None:
    await travel.replica()
    source = await travel.run({"turns": 3})
    await travel.world.platform.db.execute(
        "UPDATE executions SET input = jsonb_set(input, '{model}', '\"another\"') WHERE id = $1", source.id
    )
    calibration = await calibrated(travel, source)
    assert (calibration.status, calibration.diverged_at) == ("failed", 1)
    assert await travel.client.masks(travel.world.org_id, source.agent_id) == []


async def test_a_mask_makes_a_replay_clean_once_it_is_approved(travel: Travel) -> None:
    org_id = travel.world.org_id
    await travel.replica()
    source = await travel.run({"turns": 4, "id": 2})
    calibration = await calibrated(travel, source)
    assert (calibration.status, calibration.diverged_at) == ("succeeded", None), calibration.error
    assert calibration.output["heard"] == source.output["heard"] and travel.upstream.calls == 4
    masks = await travel.client.masks(org_id, source.agent_id)
    assert [(each.pointer, each.state) for each in masks] == [("/messages/*/content", "proposed")]
    assert masks[0].learnt_from == calibration.id and "step 2 as" in masks[0].example[0]

    # Proposed is not approved, and learning again changes nothing.
    (still,) = await travel.fork(source)
    assert (still.status, still.diverged_at) == ("failed", 2)
    await calibrated(travel, source)
    assert [each.id for each in await travel.client.masks(org_id, source.agent_id)] == [masks[0].id]

    await travel.client.decide_mask(org_id, masks[0].id, DecideMask(approve=True), "user:t")
    paid = travel.upstream.calls
    (replay,) = await travel.fork(source)
    assert (replay.status, replay.diverged_at) == ("succeeded", None), replay.error
    assert replay.output["heard"] == source.output["heard"]
    assert travel.upstream.calls == paid

    await travel.client.decide_mask(org_id, masks[0].id, DecideMask(approve=False), "user:t")
    (again,) = await travel.fork(source)
    assert again.diverged_at == 2
    listed = await travel.client.masks(org_id, source.agent_id)
    assert [(each.state, each.decided_by) for each in listed] == [("rejected", "user:t")]


async def test_a_mask_hides_no_other_difference(travel: Travel) -> None:
    await travel.replica()
    source = await travel.run({"turns": 4, "id": 2})
    await calibrated(travel, source)
    (mask,) = await travel.client.masks(travel.world.org_id, source.agent_id)
    await travel.client.decide_mask(travel.world.org_id, mask.id, DecideMask(approve=True), "user:t")
    await travel.world.platform.db.execute(
        "UPDATE executions SET input = jsonb_set(input, '{turns}', '5') WHERE id = $1", source.id
    )
    (longer,) = await travel.fork(source)
    assert (longer.status, longer.diverged_at) == ("failed", 5)
    assert longer.divergence is not None and "no further call" in longer.divergence.reason
