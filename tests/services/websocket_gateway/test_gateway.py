"""Open pages are told what happens in their organisation, without a gap, and nobody waits for a slow one."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest
from websockets.asyncio.client import connect

from services.chassis.ids import new_id
from services.chassis.outbox import emit
from services.chassis.testing import TestPlatform
from services.contracts.agents import (
    AgentState,
    AgentStateChanged,
    AgentStateData,
)
from services.contracts.live import FeedEntry, UiUpdated, UpdateData
from services.contracts.log_processor import (
    AgentLogLine,
    LogBatch,
    LogLine,
    LogProcessorClient,
    LogsAppended,
    LogsData,
)
from services.contracts.nodes import NODE_EVENTS, NodeChanged, NodeData, NodeState
from services.embedded.testing import WorkerStores
from services.websocket_gateway.settings import WebSocketSettings
from tests.platform import make_organisation, platform_of
from tests.services.websocket_gateway.pages import (
    NAMES,
    address,
    ask,
    closed_with,
    deploy,
    hear,
    hear_of,
    page,
    subscribe,
    ticket,
)


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    knobs = [WebSocketSettings(cors_origins="https://app.example", replay_events=20)]
    async with platform_of(NAMES, stores.environment(), listen=True, overrides=knobs) as platform:
        yield platform


async def test_a_change_reaches_the_pages_of_its_organisation_only(platform: TestPlatform) -> None:
    org_id, other = await make_organisation(platform.db), await make_organisation(platform.db)
    agent_id, other_agent = new_id(), new_id()
    async with page(platform, org_id) as mine, page(platform, other) as theirs:
        await subscribe(mine, "agents")
        await subscribe(theirs, "agents")
        await deploy(platform, org_id, agent_id)
        await deploy(platform, other, other_agent)
        frame, their_frame = await hear(mine), await hear(theirs)
    assert (frame["channel"], frame["type"]) == ("agents", "agent.deployed")
    assert frame["data"]["subject_id"] == frame["data"]["agent_id"] == str(agent_id)
    assert frame["seq"] == frame["data"]["seq"] > 0
    assert their_frame["data"]["subject_id"] == str(other_agent)


async def test_what_was_missed_is_replayed_and_then_it_goes_on(platform: TestPlatform) -> None:
    org_id, other = await make_organisation(platform.db), await make_organisation(platform.db)
    agents = [new_id() for _ in range(6)]
    async with page(platform, org_id) as opened:
        await subscribe(opened, "agents")
        await deploy(platform, org_id, *agents[:1])
        seen = await hear(opened)
    await deploy(platform, org_id, *agents[1:5])
    await deploy(platform, other, new_id())
    async with page(platform, org_id) as opened:
        await ask(opened, op="subscribe", channel="agents", after_seq=seen["seq"])
        await deploy(platform, org_id, agents[5])
        frames = [await hear(opened) for _ in range(6)]
    told = [frame["data"]["subject_id"] for frame in frames if frame["type"] == "agent.deployed"]
    assert told == [str(each) for each in agents[1:]]


async def test_changes_during_a_replay_come_once(platform: TestPlatform) -> None:
    org_id = await make_organisation(platform.db)
    first, *agents = [new_id() for _ in range(16)]
    async with page(platform, org_id) as opened:
        start = await subscribe(opened, "agents")
        await deploy(platform, org_id, first)
        writing = asyncio.gather(*(deploy(platform, org_id, each) for each in agents))
        told: set[str] = set()
        after = start["seq"]
        async with page(platform, org_id) as second:
            await ask(second, op="subscribe", channel="agents", after_seq=after)
            heard: list[str] = []
            while len(told) < 16:
                frame = await hear(second)
                if frame["type"] == "agent.deployed":
                    heard.append(frame["data"]["id"])
                    told.add(frame["data"]["subject_id"])
        await writing
    assert len(heard) == 16
    assert told == {str(each) for each in (first, *agents)}


async def test_who_missed_too_much_starts_anew(platform: TestPlatform) -> None:
    org_id = await make_organisation(platform.db)
    async with page(platform, org_id) as opened:
        start = await subscribe(opened, "agents")
    await deploy(platform, org_id, *[new_id() for _ in range(25)])
    async with page(platform, org_id) as opened:
        await ask(opened, op="subscribe", channel="agents", after_seq=start["seq"])
        frame = await hear(opened)
        assert (frame["type"], frame["channel"]) == ("reset", "agents")
        assert frame["seq"] >= start["seq"] + 25
        assert (await hear(opened))["type"] == "subscribed"


async def test_history_that_is_not_kept_any_more_is_a_reset(stores: WorkerStores) -> None:
    environment = stores.fresh_database().migration_environment()
    async with platform_of(["websocket-gateway"], environment, listen=True) as platform:
        org_id = await make_organisation(platform.db)
        await deploy(platform, org_id, *[new_id() for _ in range(5)])
        await platform.db.execute("DELETE FROM outbox WHERE id < 4")
        for after, expected in ((1, "reset"), (3, "agent.deployed")):
            async with page(platform, org_id) as opened:
                await ask(opened, op="subscribe", channel="agents", after_seq=after)
                assert (await hear(opened))["type"] == expected


async def test_one_agent_can_be_followed(platform: TestPlatform) -> None:
    org_id, wanted = await make_organisation(platform.db), new_id()
    async with page(platform, org_id) as opened:
        await subscribe(opened, "agents", agent_id=str(wanted))
        await deploy(platform, org_id, new_id(), wanted)
        assert (await hear(opened))["data"]["subject_id"] == str(wanted)


async def test_log_lines_arrive_as_they_are_stored(platform: TestPlatform) -> None:
    org_id, agent_id, run_id = await make_organisation(platform.db), new_id(), new_id()
    async with page(platform, org_id) as opened:
        await subscribe(opened, "logs", agent_id=str(agent_id))
        for about in (new_id(), agent_id):
            line = LogLine(run_id=run_id, offset=0, at=datetime.now(UTC), stream="stdout", line="hello")
            batch = LogBatch(org_id=org_id, agent_id=about, instance_id=new_id(), run_id=run_id, lines=[line])
            await platform.client(LogProcessorClient, "executor").ingest([batch])
            run_id = new_id()
        frame = await hear(opened)
    assert (frame["channel"], frame["type"], frame["data"]["agent_id"]) == (
        "logs",
        "logs.appended",
        str(agent_id),
    )
    assert [each["line"] for each in frame["data"]["lines"]] == ["hello"]


async def test_nodes_are_for_tickets_that_name_them(platform: TestPlatform) -> None:
    org_id, node_id = await make_organisation(platform.db), new_id()
    async with page(platform, org_id, "agents", "nodes") as operator, page(platform, org_id) as user:
        await subscribe(operator, "nodes")
        await ask(user, op="subscribe", channel="nodes")
        refused = await hear(user)
        assert (refused["type"], refused["data"]["code"]) == ("error", "invalid")
        data = NodeData(name="n", state=NodeState.SILENT)
        async with platform.db.system() as connection:
            await emit(connection, NODE_EVENTS, NodeChanged(subject_id=node_id, data=data))
        # The nodes of other tests of the run are heard of too, since nodes belong to no organisation.
        frame = await hear_of(operator, node_id)
    assert frame["type"] == "node.changed"
    async with page(platform, org_id, "nodes") as again:
        await ask(again, op="subscribe", channel="nodes", after_seq=frame["seq"] - 1)
        assert (await hear(again))["data"]["subject_id"] == str(node_id)


async def test_a_page_that_does_not_read_is_closed_and_holds_up_nobody(platform: TestPlatform) -> None:
    org_id, agent_id = await make_organisation(platform.db), new_id()
    gateway = platform.logic("websocket-gateway")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    host, port = platform.url("websocket-gateway").removeprefix("http://").split(":")
    sock.connect((host, int(port)))
    sock.setblocking(False)
    shown = await ticket(platform, org_id, "logs")
    async with (
        connect(address(platform, shown), sock=sock, max_queue=1, ping_interval=None) as frozen,
        page(platform, org_id) as lively,
    ):
        await ask(frozen, op="subscribe", channel="logs")
        await subscribe(lively, "logs")
        before = len(gateway._connections)
        line = AgentLogLine(
            run_id=new_id(), offset=0, at=datetime.now(UTC), stream="stdout", line="x" * 16_000,
            agent_id=agent_id, instance_id=new_id(),
        )  # fmt: skip
        data = LogsData(agent_id=agent_id, lines=[line] * 10)
        for seq in range(100):
            await gateway.logged(LogsAppended(org_id=org_id, subject_id=agent_id, seq=seq, data=data))
            assert (await hear(lively))["seq"] == seq
        async with asyncio.timeout(10):
            while len(gateway._connections) == before:
                await asyncio.sleep(0.02)
        sock.close()


async def logged_in(platform: TestPlatform, org_id: UUID) -> tuple[UUID, UUID]:
    """A member of the organisation with a session: (user, session)."""
    user_id, session_id = new_id(), new_id()
    await platform.db.execute(
        "INSERT INTO users (id, email, name, password_hash) VALUES ($1, $2, 'x', 'x')",
        user_id,
        f"{user_id}@x",
    )
    await platform.db.execute(
        "INSERT INTO sessions (id, user_id, org_id, expires_at)"
        " VALUES ($1, $2, $3, now() + interval '1 day')",
        session_id,
        user_id,
        org_id,
    )
    await platform.db.execute(
        "INSERT INTO members (org_id, user_id, role) VALUES ($1, $2, 'viewer')", org_id, user_id
    )
    return user_id, session_id


async def test_whoever_is_no_member_any_more_loses_their_pages(platform: TestPlatform) -> None:
    org_id, other = await make_organisation(platform.db), await make_organisation(platform.db)
    user_id, session_id = await logged_in(platform, org_id)
    await platform.db.execute(
        "INSERT INTO members (org_id, user_id, role) VALUES ($1, $2, 'viewer')", other, user_id
    )
    gateway = platform.logic("websocket-gateway")
    async with (
        page(platform, org_id, session_id=session_id) as left,
        page(platform, other, session_id=session_id) as kept,
    ):
        await subscribe(left, "agents")
        await subscribe(kept, "agents")
        # As the backend removes a member: the session goes on, in the other organisation.
        await platform.db.execute("DELETE FROM members WHERE org_id = $1 AND user_id = $2", org_id, user_id)
        await platform.db.execute("UPDATE sessions SET org_id = $2 WHERE id = $1", session_id, other)
        await gateway.end_stale()
        assert await closed_with(left) == 4401
        await ask(kept, op="ping")
        assert (await hear(kept))["type"] == "pong"


async def test_a_revoked_session_ends_its_pages(platform: TestPlatform) -> None:
    org_id = await make_organisation(platform.db)
    _, session_id = await logged_in(platform, org_id)
    gateway = platform.logic("websocket-gateway")
    async with page(platform, org_id, session_id=session_id) as opened, page(platform, org_id) as other:
        await subscribe(opened, "agents")
        await subscribe(other, "agents")
        await gateway.end_stale()
        await ask(opened, op="ping")
        assert (await hear(opened))["type"] == "pong"
        await platform.db.execute("UPDATE sessions SET revoked_at = now() WHERE id = $1", session_id)
        await gateway.end_stale()
        assert await closed_with(opened) == 4401
        await ask(other, op="ping")
        assert (await hear(other))["type"] == "pong"


async def test_stopping_sends_pages_away_at_once(stores: WorkerStores) -> None:
    async with contextlib.AsyncExitStack() as pages:
        async with platform_of(["websocket-gateway"], stores.environment(), listen=True) as platform:
            org_id = await make_organisation(platform.db)
            opened = [await pages.enter_async_context(page(platform, org_id)) for _ in range(5)]
            for each in opened:
                await subscribe(each, "agents")
            started = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - started < 4
        assert {await closed_with(each) for each in opened} == {1012}


async def test_a_thousand_pages_cost_one_encoding(platform: TestPlatform) -> None:
    org_id, agent_id = await make_organisation(platform.db), new_id()
    gateway = platform.logic("websocket-gateway")
    data = AgentStateData(name="one", state=AgentState.RUNNING, desired_replicas=1, ready_replicas=1)
    event = AgentStateChanged(org_id=org_id, subject_id=agent_id, seq=7, data=data)
    entry = FeedEntry.of(event.model_dump(mode="json"), 7)
    update = UiUpdated(
        org_id=org_id, subject_id=agent_id, seq=7, data=UpdateData(channel="agents", entry=entry)
    )
    async with contextlib.AsyncExitStack() as pages:
        opened = [await pages.enter_async_context(page(platform, org_id)) for _ in range(50)]
        for each in opened:
            await subscribe(each, "agents")
        await gateway.updated(update)
        texts = {await each.recv() for each in opened}
    assert len(texts) == 1
    (text,) = texts
    assert orjson.loads(text)["data"] == orjson.loads(entry.model_dump_json())
