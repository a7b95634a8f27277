"""
Nothing crosses the border of an organisation: not by id, cursor, stream or ticket.

The drill runs three times: as it is; with row-level security alone (every comparison of `org_id` in tenant
transactions is taken out of the SQL); and with predicates alone (row-level security is switched off).
"""

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args
from uuid import UUID

import asyncpg
import httpx
import orjson
import pytest
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect

from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.live import Channel
from services.embedded.stores import StoreAddresses
from services.embedded.testing import WorkerStores
from services.secrets_manager.settings import SecretsSettings
from tests.backend.conftest import BESIDE, Tenant, backend_settings, make_tenant
from tests.backend.crossing import Call, Victim, calls, fingerprint, judge, make_victim
from tests.backend.people import joined, owner_of
from tests.platform import MASTER_KEY, platform_of
from tests.soak import Parts, count, keep_parts, recorded

Mode = Literal["as it is", "row-level security alone", "predicates alone"]
MODES, PAGES, STREAMS = get_args(Mode), "pages over WebSocket", "server-sent events"
CALLS = 10_000
PREDICATE = re.compile(r"\b(?:\w+\.)?org_id\s*=\s*(?:\$(\d+)(?:::uuid)?|\(SELECT current_org\(\)\))")
AT_ONCE = 8
CHANNELS = get_args(Channel)

pytestmark = pytest.mark.drill


@dataclass
class Border:
    """A platform with an organisation that has something and one that wants it."""

    platform: TestPlatform
    victim: Victim
    attacker: Tenant
    own: dict[str, str]


@pytest.fixture(scope="module")
def addresses(stores: WorkerStores) -> StoreAddresses:
    # Its own database, for row-level security is switched off in it.
    return stores.fresh_database()


@pytest.fixture(scope="module")
async def border(addresses: StoreAddresses) -> AsyncIterator[Border]:
    settings = [
        SecretsSettings(master_key=SecretStr(MASTER_KEY)),
        backend_settings(requests_per_minute=10_000_000),
    ]
    names = ["backend", *BESIDE, "websocket-gateway"]
    environment = addresses.migration_environment()
    async with platform_of(names, environment, listen=True, overrides=settings) as platform:
        attacker = await make_tenant(platform)
        async with attacker.client() as client:
            agent = await client.post("/agents", json={"name": "own", "docker_image": "agent-runtime:latest"})
        own = {
            "organisation_id": str(attacker.org_id),
            "user_id": str(attacker.user_id),
            "agent_id": agent.json()["id"],
        }
        yield Border(platform, await make_victim(platform), attacker, own)


@pytest.fixture(scope="module")
def parts() -> Iterator[Parts]:
    """What each part of the drill found."""
    found: Parts = {}
    yield found
    every = keep_parts("borders", found)
    if {*MODES, PAGES, STREAMS} <= set(every):
        tests, title = "tests/backend/test_cross_organisation.py", "nothing crosses to another organisation"
        with recorded("borders", title, tests) as report:
            for mode in MODES:
                report.add(f"generated calls, {mode}", every[mode]["calls"], "", at_least=CALLS)
            for way in (PAGES, STREAMS):
                report.add(way, every[way]["calls"], "")
            report.add("leaks", sum(part["leaks"] for part in every.values()), "", at_most=0)


@dataclass
class Unguarded:
    """A tenant's connection on which no statement compares the organisation."""

    connection: Any
    removed: list[str]

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.connection, name)
        if name not in {"fetch", "fetchrow", "fetchval", "execute"}:
            return method

        async def ask(statement: str, *arguments: Any, **more: Any) -> Any:
            bare, times = PREDICATE.subn(_always, statement)
            self.removed += [statement] * bool(times)
            return await method(bare, *arguments, **more)

        return ask


def _always(match: "re.Match[str]") -> str:
    # A parameter must stay in its place.
    return f"(${match[1]}::uuid IS NOT NULL)" if match[1] else "true"


def without_predicates(platform: TestPlatform, patch: pytest.MonkeyPatch) -> list[str]:
    """Leave tenants' transactions to row-level security; returns the statements that lose something."""
    removed: list[str] = []
    tenant: Callable[[UUID], Any] = platform.db.tenant

    @asynccontextmanager
    async def bare(org_id: UUID) -> AsyncIterator[Any]:
        async with tenant(org_id) as connection:
            yield Unguarded(connection, removed)

    patch.setattr(platform.db, "tenant", bare)
    return removed


@asynccontextmanager
async def without_row_level_security(addresses: StoreAddresses) -> AsyncIterator[int]:
    """Leave tenants' transactions to the predicates of their statements; gives how many tables that opens."""
    owner = await asyncpg.connect(addresses.database_owner_url)
    try:
        tables = [
            row["name"]
            for row in await owner.fetch(
                "SELECT relname AS name FROM pg_class WHERE relrowsecurity AND relkind IN ('r', 'p')"
                " AND relnamespace = 'public'::regnamespace"
            )
        ]
        for table in tables:
            await owner.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        yield len(tables)
        for table in tables:
            await owner.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    finally:
        await owner.close()


@pytest.mark.parametrize("mode", MODES)
async def test_no_call_reaches_another_organisation(
    border: Border, addresses: StoreAddresses, parts: Parts, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await fingerprint(border.platform, border.victim.tenant.org_id)
    async with AsyncExitStack() as stack:
        if mode == "row-level security alone":
            removed = without_predicates(border.platform, monkeypatch)
        if mode == "predicates alone":
            assert await stack.enter_async_context(without_row_level_security(addresses)) > 20
        leaks, asked = await drill(border, count(300, CALLS), stack)
        if mode == "row-level security alone":
            assert len(removed) > 50
    parts[mode] = {"calls": asked, "leaks": len(leaks)}
    assert not leaks, f"{len(leaks)} of {asked}: {leaks[:5]}"
    monkeypatch.undo()
    assert await fingerprint(border.platform, border.victim.tenant.org_id) == before
    row = await border.platform.db.fetchrow(
        "SELECT count(*) AS n FROM audit_logs WHERE org_id = $1 AND actor_id <> ALL($2::uuid[])",
        border.victim.tenant.org_id,
        [border.victim.tenant.user_id],
    )
    assert row is not None and row["n"] == 0


async def drill(border: Border, number: int, stack: AsyncExitStack) -> tuple[list[str], int]:
    """Make the calls as an owner in a session, by a key of all scopes, and as a viewer."""
    owner = await stack.enter_async_context(owner_of(border.attacker))
    viewer = await stack.enter_async_context(joined(owner, "viewer"))
    program = await stack.enter_async_context(border.attacker.client())
    clients = [owner.http, owner.http, program, viewer.http]
    turns = asyncio.Semaphore(AT_ONCE)
    leaks: list[str] = []

    async def make(call: Call, client: httpx.AsyncClient) -> None:
        async with turns:
            answer = await client.request(
                call.method,
                f"{border.attacker.url}{call.path}",
                params=call.query,
                json=call.body,
                headers={"If-Match": "*"},
            )
        wrong = judge(call, answer, border.victim)
        if wrong:
            leaks.append(f"{call.method} {call.template}: {wrong}")

    every = list(calls(border.victim, border.own, number, seed=20))
    await asyncio.gather(*(make(call, clients[at % len(clients)]) for at, call in enumerate(every)))
    return leaks, len(every)


async def test_streams_of_another_organisation_do_not_open(border: Border, parts: Parts) -> None:
    ids, chance, leaks, asked = border.victim.ids, random.Random(21), [], count(12, 1_000)
    positions = [None, "0", "1", "-1", "x", ids["step_id"], *border.victim.cursors]
    async with owner_of(border.attacker) as owner, border.attacker.client() as program:
        for _ in range(asked):
            execution_id, position = (
                chance.choice([ids["execution_id"], ids["other"]]),
                chance.choice(positions),
            )
            followed = f"/agents/{ids['agent_id']}/logs?follow=true"
            path = chance.choice([f"/executions/{execution_id}/events", followed])
            headers = {} if position is None else {"Last-Event-ID": position}
            answer = await chance.choice([owner.http, program]).get(path, headers=headers)
            found = border.victim.secrets_beside(f"{path} {position}")
            if answer.status_code not in {404, 422} or any(each in answer.text for each in found):
                leaks.append(f"{path} from {position}: {answer.status_code}")
    parts[STREAMS] = {"calls": asked, "leaks": len(leaks)}
    assert not leaks


async def test_no_page_hears_of_another_organisation(border: Border, parts: Parts) -> None:
    """Pages of every channel, agent and past; on both sides of the border things happen all the while."""
    chance, leaks, heard_of_own = random.Random(22), [], 0
    url = border.platform.url("websocket-gateway").replace("http", "ws")
    async with owner_of(border.attacker) as attacker, owner_of(border.victim.tenant) as victim:
        # Generated calls may have deleted the agent that the attacker had.
        named = {"name": f"own-{new_id()}", "docker_image": "agent-runtime:latest"}
        own = (await attacker.asks("POST", "/agents", json=named))["id"]
        agents = [None, border.victim.ids["agent_id"], own, str(new_id())]
        for number in range(asked := count(6, 500)):
            channels = chance.sample(CHANNELS, chance.randint(1, len(CHANNELS)))
            ticket = (await attacker.asks("POST", "/ws-ticket", json={"channels": channels}))["ticket"]
            async with connect(f"{url}/ws?ticket={ticket}") as page:
                said = ""
                for channel in chance.sample(CHANNELS, chance.randint(1, len(CHANNELS))):
                    about = {
                        "agent_id": chance.choice(agents),
                        "after_seq": chance.choice([None, 0, 1, 10**6]),
                    }
                    wish = orjson.dumps({"op": "subscribe", "channel": channel, **about}).decode()
                    said += wish
                    await page.send(wish)
                verb = "start" if number % 2 else "stop"
                for person, changed in ((victim, agents[1]), (attacker, agents[2])):
                    await person.asks("POST", f"/agents/{changed}/{verb}", headers={"If-Match": "*"})
                heard = await _everything(page)
            heard_of_own += own in heard and "state_changed" in heard
            leaks += [each for each in border.victim.secrets_beside(said) if each in heard]
    parts[PAGES] = {"calls": asked, "leaks": len(leaks)}
    assert not leaks and heard_of_own


async def _everything(page: ClientConnection) -> str:
    """What a page is sent until nothing more comes."""
    heard = ""
    with contextlib.suppress(TimeoutError):
        while True:
            async with asyncio.timeout(0.3):
                heard += str(await page.recv())
    return heard


async def test_a_ticket_shows_its_own_organisation_only(border: Border) -> None:
    async with owner_of(border.attacker) as attacker, owner_of(border.victim.tenant) as victim:
        forged = {"org_id": border.victim.ids["organisation_id"], "channels": ["agents"]}
        await attacker.asks("POST", "/ws-ticket", 422, json=forged)
        agent_id = border.victim.ids["agent_id"]
        fresh = {"name": f"own-{new_id().hex[-12:]}", "docker_image": "agent-runtime:latest"}
        own = (await attacker.asks("POST", "/agents", json=fresh))["id"]
        url = border.platform.url("websocket-gateway").replace("http", "ws")
        async with AsyncExitStack() as stack:
            pages = []
            for more in ({}, {"agent_id": agent_id}):
                ticket = (await attacker.asks("POST", "/ws-ticket", json={"channels": ["agents"]}))["ticket"]
                page = await stack.enter_async_context(connect(f"{url}/ws?ticket={ticket}"))
                await page.send(orjson.dumps({"op": "subscribe", "channel": "agents", **more}).decode())
                await page.recv()
                pages.append(page)
            # The victim's change comes first; the first thing heard of is nevertheless one's own.
            for person, changed in ((victim, agent_id), (attacker, own)):
                for verb in ("start", "stop", "start"):
                    await person.asks("POST", f"/agents/{changed}/{verb}", headers={"If-Match": "*"})
            heard = ""
            async with asyncio.timeout(30):
                while own not in heard:
                    heard += str(await pages[0].recv())
            assert agent_id not in heard
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    assert agent_id not in str(await pages[1].recv())
