"""Webhooks: signed, repeated by schedule, stopped when asked; no crash and no late commit loses one."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from pydantic import SecretStr

from services.chassis.errors import Conflict, IllegalState, NotFound, UnsafeUrl
from services.chassis.ids import new_id
from services.chassis.outbox import emit
from services.chassis.testing import TestPlatform
from services.contracts.agents import AGENT_EVENTS, AgentDeployed, AgentDeployedData
from services.contracts.event_processor import EventProcessorClient
from services.contracts.webhooks import (
    CreateWebhook,
    DeliveryDetail,
    PatchWebhook,
    RotateWebhook,
    WebhookState,
    WebhookWithSecret,
)
from services.embedded.testing import WorkerStores
from services.event_processor.delivery_store import DeliveryStore
from services.event_processor.settings import WebhookSettings
from services.secrets_manager.settings import SecretsSettings
from tests.platform import MASTER_KEY, make_organisation, platform_of
from tests.services.event_processor.receiver import Receiver
from tests.waiting import until, until_told

DOCUMENT = Path(__file__).parents[3] / "docs" / "webhooks.md"
SETTINGS = WebhookSettings(schedule="0,0.2,0.2", lease_seconds=2, disable_after_seconds=3600)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    runner = await made.start()
    yield made
    await runner.cleanup()


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTPLANE_EGRESS_PRIVATE_ALLOW", "127.0.0.1")
        overrides = [SETTINGS, SecretsSettings(master_key=SecretStr(MASTER_KEY))]
        names = ["event-processor", "secrets-manager"]
        async with platform_of(names, stores.environment(), overrides=overrides) as made:
            yield made


async def deployed(platform: TestPlatform, org_id: UUID) -> UUID:
    """Emit one event; its id."""
    data = AgentDeployedData(name="one", version=1, desired_replicas=1)
    event = AgentDeployed(org_id=org_id, subject_id=new_id(), data=data)
    async with platform.db.tenant(org_id) as connection:
        await emit(connection, AGENT_EVENTS, event)
    return event.id


async def subscribed(
    platform: TestPlatform, org_id: UUID, url: str, *event_types: str
) -> tuple[EventProcessorClient, WebhookWithSecret]:
    client = platform.client(EventProcessorClient)
    return client, await client.create_webhook(
        org_id, CreateWebhook(url=url, event_types=list(event_types)), "user:test"
    )


async def ended(
    client: EventProcessorClient, org_id: UUID, webhook_id: UUID, event_id: UUID
) -> DeliveryDetail:
    async def look() -> DeliveryDetail | None:
        try:
            found = await client.delivery(org_id, webhook_id, event_id)
        except NotFound:
            return None
        return found if found.state != "pending" else None

    found = await until_told(look)
    assert found is not None
    return found


def verifier() -> Callable[[str, dict[str, str], bytes], bool]:
    """The function that the documentation gives."""
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.S)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["verify"]  # type: ignore[no-any-return]


async def test_an_event_arrives_signed_and_only_where_it_is_wanted(
    platform: TestPlatform, receiver: Receiver
) -> None:
    org_id, other = await make_organisation(platform.db), await make_organisation(platform.db)
    client, hook = await subscribed(platform, org_id, receiver.url + "/wanted", "agent.*")
    await subscribed(platform, org_id, receiver.url + "/exactly", "agent.deployed")
    await subscribed(platform, org_id, receiver.url + "/all")
    await subscribed(platform, org_id, receiver.url + "/unwanted", "execution.*", "agent", "agent.deployed.*")
    await subscribed(platform, other, receiver.url + "/foreign")
    event_id = await deployed(platform, org_id)
    assert (await ended(client, org_id, hook.id, event_id)).state == "delivered"
    await until(lambda: len(receiver.got) == 3)
    assert sorted(message.path for message in receiver.got) == ["/all", "/exactly", "/wanted"]
    (message,) = receiver.at("/wanted")
    verify, body = verifier(), orjson.loads(message.body)
    assert verify(hook.secret, message.headers, message.body)
    assert not verify(hook.secret, message.headers, message.body + b" ")
    assert not verify("whsec_" + "A" * 44, message.headers, message.body)
    stale = {**message.headers, "webhook-timestamp": str(int(time.time()) - 301)}
    assert not verify(hook.secret, stale, message.body)
    assert message.headers["webhook-id"] == str(event_id) == body["id"]
    assert (body["type"], body["data"]["name"], body["seq"] > 0) == ("agent.deployed", "one", True)
    with pytest.raises(NotFound):
        await client.webhook(other, hook.id)


async def test_the_secret_is_shown_once_and_not_in_the_rows(
    platform: TestPlatform, receiver: Receiver
) -> None:
    org_id = await make_organisation(platform.db)
    client, hook = await subscribed(platform, org_id, receiver.url)
    assert hook.secret.startswith("whsec_") and len(hook.secret) == len("whsec_") + 44
    shown = [
        (await client.webhook(org_id, hook.id)).model_dump(),
        (await client.webhooks(org_id)).model_dump(),
    ]
    row = await platform.db.fetchrow("SELECT e::text AS kept FROM webhook_endpoints e WHERE id = $1", hook.id)
    assert row is not None and hook.secret[6:] not in f"{row['kept']} {shown}"


async def test_what_failed_is_tried_again_until_the_schedule_ends_and_can_be_resent(
    platform: TestPlatform, receiver: Receiver
) -> None:
    receiver.answers["/flaky"] = [(500, {}), (302, {"Location": "/elsewhere"}), (204, {})]
    receiver.answers["/broken"] = [(500, {})]
    org_id = await make_organisation(platform.db)
    client, flaky = await subscribed(platform, org_id, receiver.url + "/flaky")
    _, broken = await subscribed(platform, org_id, receiver.url + "/broken")
    event_id = await deployed(platform, org_id)
    found = await ended(client, org_id, flaky.id, event_id)
    assert (found.state, [each.status for each in found.tries]) == ("delivered", [500, 302, 204])
    assert len({message.headers["webhook-id"] for message in receiver.at("/flaky")}) == 1
    given_up = await ended(client, org_id, broken.id, event_id)
    assert (given_up.state, given_up.attempts) == ("failed", 3)
    assert (await client.webhook(org_id, broken.id)).failing_since is not None
    receiver.answers["/broken"] = [(200, {})]
    await client.resend(org_id, broken.id, event_id)
    again = await ended(client, org_id, broken.id, event_id)
    assert (again.state, [each.number for each in again.tries]) == ("delivered", [1, 2, 3, 4])
    assert (await client.webhook(org_id, broken.id)).failing_since is None
    assert receiver.at("/elsewhere") == []


async def test_gone_disables_and_says_so(platform: TestPlatform, receiver: Receiver) -> None:
    receiver.answers["/gone"] = [(410, {})]
    org_id = await make_organisation(platform.db)
    client, hook = await subscribed(platform, org_id, receiver.url + "/gone")
    event_id = await deployed(platform, org_id)
    assert (await ended(client, org_id, hook.id, event_id)).state == "failed"
    found = await client.webhook(org_id, hook.id)
    assert (found.state, found.disabled_reason) == ("disabled", "gone")
    feed = await client.events(org_id)
    told = [entry for entry in feed.items if entry.type == "webhook.disabled"]
    assert [(entry.subject_id, entry.data["reason"]) for entry in told] == [(hook.id, "gone")]
    await deployed(platform, org_id)
    with pytest.raises(IllegalState):
        await client.resend(org_id, hook.id, event_id)
    with pytest.raises(IllegalState):
        await client.test_webhook(org_id, hook.id)
    await client.patch_webhook(org_id, hook.id, PatchWebhook(state=WebhookState.ENABLED))
    receiver.answers["/gone"] = [(200, {})]
    test = await client.test_webhook(org_id, hook.id)
    assert (await ended(client, org_id, hook.id, test.id)).state == "delivered"
    assert len(receiver.at("/gone")) == 2, "the event of the time in between is not sent later"


async def test_retry_after_leaves_the_whole_endpoint_alone(
    platform: TestPlatform, receiver: Receiver
) -> None:
    receiver.answers["/busy"] = [(429, {"Retry-After": "2"}), (200, {})]
    org_id = await make_organisation(platform.db)
    client, hook = await subscribed(platform, org_id, receiver.url + "/busy")
    first = await deployed(platform, org_id)
    await until(lambda: receiver.at("/busy"))
    second = await deployed(platform, org_id)
    for event_id in (first, second):
        assert (await ended(client, org_id, hook.id, event_id)).state == "delivered"
    times = [message.at for message in receiver.at("/busy")]
    assert len(times) == 3 and times[1] - times[0] >= 1.9


async def test_both_secrets_sign_while_they_overlap(platform: TestPlatform, receiver: Receiver) -> None:
    org_id, verify = await make_organisation(platform.db), verifier()
    client, hook = await subscribed(platform, org_id, receiver.url + "/rotated")
    new = await client.rotate_webhook(org_id, hook.id, RotateWebhook(overlap_seconds=600), "user:test")
    test = await client.test_webhook(org_id, hook.id)
    await ended(client, org_id, hook.id, test.id)
    (message,) = receiver.at("/rotated")
    assert len(message.headers["webhook-signature"].split()) == 2
    assert verify(hook.secret, message.headers, message.body)
    assert verify(new.secret, message.headers, message.body)
    newest = await client.rotate_webhook(org_id, hook.id, RotateWebhook(overlap_seconds=0), "user:test")
    test = await client.test_webhook(org_id, hook.id)
    await ended(client, org_id, hook.id, test.id)
    message = receiver.at("/rotated")[-1]
    assert verify(newest.secret, message.headers, message.body)
    assert not verify(new.secret, message.headers, message.body)


async def test_an_endpoint_that_only_fails_for_days_is_disabled(
    platform: TestPlatform, receiver: Receiver
) -> None:
    receiver.answers["/dead"] = [(500, {})]
    org_id = await make_organisation(platform.db)
    client, hook = await subscribed(platform, org_id, receiver.url + "/dead")
    await ended(client, org_id, hook.id, await deployed(platform, org_id))
    assert (await client.webhook(org_id, hook.id)).state == "enabled"
    await platform.db.execute(
        "UPDATE webhook_endpoints SET failing_since = clock_timestamp() - interval '2 hours' WHERE id = $1",
        hook.id,
    )
    found = await ended(client, org_id, hook.id, await deployed(platform, org_id))
    assert (found.state, found.attempts) == ("failed", 1)
    assert (await client.webhook(org_id, hook.id)).disabled_reason == "failing"


async def test_private_addresses_are_refused_when_given_and_when_called(platform: TestPlatform) -> None:
    org_id = await make_organisation(platform.db)
    client = platform.client(EventProcessorClient)
    for url in ("http://169.254.169.254/", "https://10.0.0.1/", "http://127.0.0.1:8000/", "ftp://x.test/"):
        with pytest.raises(UnsafeUrl):
            await client.create_webhook(org_id, CreateWebhook(url=url), "user:test")
    _, hook = await subscribed(platform, org_id, "http://127.0.0.1:9/")
    with pytest.raises(UnsafeUrl):
        await client.patch_webhook(org_id, hook.id, PatchWebhook(url="https://[::1]/"))
    # As if the name had been public when it was given.
    await platform.db.execute("UPDATE webhook_endpoints SET url = 'https://10.0.0.1/' WHERE id = $1", hook.id)
    found = await ended(client, org_id, hook.id, await deployed(platform, org_id))
    assert "10.0.0.1 is private" in str(found.tries[0].error)


async def test_a_late_commit_is_not_overtaken(platform: TestPlatform, receiver: Receiver) -> None:
    org_id = await make_organisation(platform.db)
    client, hook = await subscribed(platform, org_id, receiver.url + "/late")
    data = AgentDeployedData(name="late", version=1, desired_replicas=1)
    late = AgentDeployed(org_id=org_id, subject_id=new_id(), data=data)
    async with platform.db.tenant(org_id) as connection:
        await emit(connection, AGENT_EVENTS, late)
        early = await deployed(platform, org_id)
        await asyncio.sleep(1.5)
    for event_id in (early, late.id):
        assert (await ended(client, org_id, hook.id, event_id)).state == "delivered"
    assert len(receiver.at("/late")) == 2


async def test_a_delivery_that_was_claimed_and_lost_is_tried_again(
    platform: TestPlatform, receiver: Receiver
) -> None:
    org_id = await make_organisation(platform.db)
    client, hook = await subscribed(platform, org_id, receiver.url + "/lost")
    receiver.delay_seconds["/lost"] = 0.3
    store, lost = DeliveryStore(platform.db), None
    while lost is None:
        test_id = new_id()
        await store.add_one(org_id, test_id, hook.id, "webhook.test", "{}")
        # Claimed at once by somebody who then dies, unless the loop was faster.
        lost = next(
            (due.event_id for due in await store.claim(10, 10, [], 1.5) if due.event_id == test_id), None
        )
    started = time.monotonic()
    found = await ended(client, org_id, hook.id, lost)
    assert (found.state, found.attempts) == ("delivered", 1)
    assert time.monotonic() - started > 1.4


async def test_a_slow_endpoint_delays_nobody_else(platform: TestPlatform, receiver: Receiver) -> None:
    receiver.delay_seconds["/slow"] = 3
    org_id = await make_organisation(platform.db)
    client, slow = await subscribed(platform, org_id, receiver.url + "/slow")
    for _ in range(20):
        await client.test_webhook(org_id, slow.id)
    await until(lambda: receiver.at("/slow"))
    started = time.monotonic()
    _, fast = await subscribed(platform, org_id, receiver.url + "/fast")
    test = await client.test_webhook(org_id, fast.id)
    assert (await ended(client, org_id, fast.id, test.id)).state == "delivered"
    assert time.monotonic() - started < 3
    assert len(receiver.at("/slow")) <= SETTINGS.concurrency_each * 2
    await client.delete_webhook(org_id, slow.id)


async def test_a_deleted_webhook_leaves_nothing(platform: TestPlatform, receiver: Receiver) -> None:
    org_id = await make_organisation(platform.db)
    client, hook = await subscribed(platform, org_id, receiver.url)
    await client.delete_webhook(org_id, hook.id)
    with pytest.raises(NotFound):
        await client.delete_webhook(org_id, hook.id)
    await platform.logic("event-processor").webhooks.bury()
    for query in (
        "SELECT FROM webhook_endpoints WHERE id = $1",
        "SELECT FROM secrets WHERE path LIKE 'webhooks/' || $1::uuid || '/%'"
        " AND id IN (SELECT secret_id FROM secret_versions WHERE destroyed_at IS NULL)",
    ):
        assert await platform.db.fetchrow(query, hook.id) is None


async def test_an_organisation_has_so_many_webhooks_and_no_more(platform: TestPlatform) -> None:
    org_id = await make_organisation(platform.db)
    client = platform.client(EventProcessorClient)
    for _ in range(50):
        await subscribed(platform, org_id, "http://127.0.0.1:9/")
    with pytest.raises(Conflict):
        await subscribed(platform, org_id, "http://127.0.0.1:9/")
    first = await client.webhooks(org_id, limit=30)
    rest = await client.webhooks(org_id, limit=30, cursor=first.next_cursor)
    assert (len(first.items), len(rest.items), rest.next_cursor) == (30, 20, None)
