"""Bodies are stored once, by however many writers; weeks come and go; what an earlier release kept moves."""

import asyncio
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch
from uuid import UUID

import asyncpg
import orjson
import pytest

from services.agent_observability.epoch_store import EpochStore
from services.agent_observability.epochs import EPOCH_SECONDS, epoch_at, epoch_of
from services.agent_observability.keeping import WEEKS_AHEAD, Keeping
from services.agent_observability.settings import JournalSettings
from services.chassis import migrations
from services.chassis.clock import Clock
from services.chassis.errors import Conflict, PlatformError
from services.chassis.ids import new_id
from services.chassis.settings import PlatformSettings
from services.chassis.testing import TestPlatform
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.steps import NewStep, StepKind
from services.embedded.testing import MIGRATIONS, TestRun
from tests.platform import make_organisation, platform_of
from tests.services.agent_observability.conftest import MakeStep
from tests.services.agent_observability.test_splitting import conversation

TURNS = 40


def talk(step: MakeStep, execution_id: UUID, messages: list[dict[str, str]]) -> list[NewStep]:
    return [
        step(
            execution_id,
            turn + 1,
            request_bytes=orjson.dumps({"model": "m", "messages": messages[: 2 * turn + 1]}),
            response_bytes=orjson.dumps({"choices": [{"message": messages[2 * turn + 1]}]}),
        )
        for turn in range(len(messages) // 2)
    ]


async def count(platform: TestPlatform, org_id: UUID, table: str) -> int:
    row = await platform.db.fetchrow(f"SELECT count(*) AS n FROM {table} WHERE org_id = $1", org_id)
    assert row is not None
    return int(row["n"])


async def test_a_conversation_is_stored_once_and_read_exactly(
    journal: AgentObservabilityClient, platform: TestPlatform, org_id: UUID, step: MakeStep
) -> None:
    execution_id = new_id()
    steps = talk(step, execution_id, conversation(2 * TURNS, 600))
    for each in steps:
        await journal.append_steps([each])
    stored = await count(platform, org_id, "step_blobs")
    assert stored <= 2 * TURNS * 1.3, "a text each, and the nodes above them"
    raw = await journal.raw(org_id, execution_id, [each.seq for each in steps])
    assert [(each.request_bytes, each.response_bytes) for each in raw] == [
        (each.request_bytes, each.response_bytes) for each in steps
    ]
    # The same conversation in another execution of the same week adds no blob.
    again = [each.model_copy(update={"id": new_id(), "execution_id": new_id()}) for each in steps]
    await journal.append_steps(again)
    assert await count(platform, org_id, "step_blobs") == stored


async def test_writers_of_the_same_texts_do_not_deadlock(
    platform: TestPlatform, org_id: UUID, step: MakeStep
) -> None:
    """Several replicas, each with a memory of its own, write the same conversations at once in any order."""
    agent_id, messages = new_id(), conversation(30, 700)
    async with platform_of(["agent-observability"], environment_of(platform)) as second:
        writers = [each.client(AgentObservabilityClient, "agent-gateway") for each in (platform, second)]
        batches = []
        for number in range(12):
            steps = [
                each.model_copy(update={"agent_id": agent_id}) for each in talk(step, new_id(), messages)
            ]
            batches.append(steps if number % 2 else steps[::-1])
        await asyncio.gather(*(writer.append_steps(batch) for batch in batches for writer in writers))
    assert await count(platform, org_id, "steps") == 12 * 15
    usage = await platform.db.fetchrow("SELECT calls, cost_nano FROM step_usage WHERE org_id = $1", org_id)
    assert usage is not None and (usage["calls"], usage["cost_nano"]) == (12 * 15, 7 * 12 * 15)


def environment_of(platform: TestPlatform) -> dict[str, str]:
    settings = platform.running.platform
    return {
        "DATABASE_APP_URL": settings.database_app_url or "",
        "DATABASE_SYSTEM_URL": settings.database_system_url or "",
    }


async def test_another_step_with_the_same_number_is_refused_and_not_lost(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep
) -> None:
    execution_id = new_id()
    first = step(execution_id, 1)
    await journal.append_steps([first])
    await journal.append_steps([first])
    with pytest.raises(Conflict, match="another step 1"):
        await journal.append_steps([step(execution_id, 1)])


async def test_a_failed_batch_is_not_remembered_as_stored(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep, platform: TestPlatform
) -> None:
    messages = conversation(8, 900)
    bad = talk(step, new_id(), messages)[-1].model_copy(update={"cost_nano": 2**63})
    with pytest.raises(PlatformError):
        await journal.append_steps([bad])
    execution_id = new_id()
    good = talk(step, execution_id, messages)[-1]
    await journal.append_steps([good])
    [raw] = await journal.raw(org_id, execution_id, [good.seq])
    assert raw.request_bytes == good.request_bytes


async def test_what_the_database_cannot_write_is_replaced_and_the_bytes_are_kept(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep
) -> None:
    execution_id = new_id()
    odd = {"name": "a\x00b", "error": "\x00", "model": "\x00m", "tool_calls": ["t\x00"]}
    patch = {"model": "\x00"}
    await journal.append_steps([step(execution_id, 1, request_bytes=b"\x00", request_patch=patch, **odd)])
    [shown] = (await journal.timeline(org_id, execution_id)).items
    assert (shown.name, shown.error, shown.model) == ("a\ufffdb", "\ufffd", "\ufffdm")
    [raw] = await journal.raw(org_id, execution_id, [1])
    assert (raw.request_bytes, raw.request_patch) == (b"\x00", patch)


async def test_ids_that_carry_no_time_are_kept_too(
    journal: AgentObservabilityClient, org_id: UUID, step: MakeStep
) -> None:
    execution_id = UUID(int=new_id().int ^ (3 << 76))
    assert epoch_of(execution_id) == 0
    body = orjson.dumps({"messages": conversation(3, 800)})
    await journal.append_steps([step(execution_id, 1, request_bytes=body)])
    [raw] = await journal.raw(org_id, execution_id, [1])
    assert raw.request_bytes == body


def at(moment: datetime) -> UUID:
    """An id as it would have been made at that moment."""
    return UUID(int=int(moment.timestamp() * 1000) << 80 | new_id().int & (1 << 80) - 1)


class Later(Clock):
    """A clock that runs ahead."""

    def __init__(self, days: float) -> None:
        self._days = days

    def now(self) -> datetime:
        return super().now() + timedelta(days=self._days)


async def test_old_weeks_are_dropped_whole_and_what_goes_on_is_kept(
    journal: AgentObservabilityClient, platform: TestPlatform, org_id: UUID, step: MakeStep
) -> None:
    then = datetime.now(UTC) - timedelta(days=400)
    old, going_on, young = at(then), at(then - timedelta(days=7)), new_id()
    body = orjson.dumps({"messages": conversation(4, 900)})
    for execution_id, ended in ((old, then), (going_on, datetime.now(UTC)), (young, datetime.now(UTC))):
        await journal.append_steps(
            [step(execution_id, 1, request_bytes=body, started_at=ended, finished_at=ended)]
        )
    epochs = EpochStore(platform.db)
    keeping = Keeping(epochs, JournalSettings(retention_days=30), Clock())
    assert await Keeping(epochs, JournalSettings(), Later(10_000)).drop_old() == []
    assert epoch_of(old) in await keeping.drop_old()
    assert not set(await epochs.weeks()) & {epoch_of(old)}
    for execution_id, there in ((old, 0), (going_on, 1), (young, 1)):
        assert (await journal.totals(org_id, execution_id)).steps == there
    for execution_id in (going_on, young):
        [raw] = await journal.raw(org_id, execution_id, [1])
        assert raw.request_bytes == body, "no reference leads into a dropped week"
    row = await platform.db.fetchrow("SELECT sum(calls)::int AS n FROM step_usage WHERE org_id = $1", org_id)
    assert row is not None and row["n"] == 3, "what was used outlives the steps"


async def test_coming_weeks_are_made_ahead(platform: TestPlatform) -> None:
    epochs = EpochStore(platform.db)
    await Keeping(epochs, JournalSettings(), Later(70)).prepare()
    week = epoch_at(Later(70).now().timestamp())
    assert set(range(week, week + WEEKS_AHEAD + 1)) <= set(await epochs.weeks())
    assert epoch_of(at(Later(70).now())) == week and EPOCH_SECONDS == 7 * 24 * 3600
    row = await platform.db.fetchrow("SELECT journal_epoch($1) AS week", at(Later(70).now()))
    assert row is not None and row["week"] == week


BEFORE = ("init.sql", "0004_production_infrastructure.sql", "0005_memory.sql")


async def test_the_steps_of_the_previous_release_move_over(run: TestRun, tmp_path: Path) -> None:
    for name in BEFORE:
        (tmp_path / name).write_bytes((MIGRATIONS / name).read_bytes())
    stores = run.stores("journal-before")
    stores.postgres.start()
    environment = stores.addresses().migration_environment()
    with patch.dict("os.environ", environment):
        settings = PlatformSettings()
    await migrations.migrate(settings, tmp_path)
    org_id, execution_id, agent_id = new_id(), new_id(), new_id()
    request, response = b'{"model":"m"} ', b"data: \xff\n\n"
    connection = await asyncpg.connect(environment["DATABASE_SYSTEM_URL"])
    for seq, execution in ((1, execution_id), (2, execution_id), (0, None)):
        step_id = new_id()
        await connection.execute(
            "INSERT INTO steps (org_id, id, agent_id, execution_id, seq, attempt, kind, name, status, model,"
            " scripted, streamed, tokens_in, tokens_out, cost_nano, tool_calls, started_at, finished_at)"
            " VALUES ($1, $2, $3, $4, $5, 1, 'llm', '/v1', 'succeeded', 'm', false, true, 3, 4, 5, '{a,b}',"
            " now(), now())",
            *(org_id, step_id, agent_id, execution, seq),
        )
        await connection.execute(
            "INSERT INTO step_bodies (org_id, step_id, request, request_patch, response)"
            " VALUES ($1, $2, $3, $4, $5)",
            *(org_id, step_id, zlib.compress(request, 1), '{"stream": true}', zlib.compress(response, 1)),
        )
    await connection.close()
    applied = await migrations.migrate(settings, MIGRATIONS)
    assert "0007_journal.sql" in applied
    async with platform_of(["agent-observability"], environment) as platform:
        journal = platform.client(AgentObservabilityClient, "agent-gateway")
        page = await journal.timeline(org_id, execution_id)
        assert [(each.seq, each.kind, each.tool_calls) for each in page.items] == [
            (seq, StepKind.LLM, ["a", "b"]) for seq in (1, 2)
        ]
        [raw] = await journal.raw(org_id, execution_id, [2])
        assert (raw.request_bytes, raw.response_bytes) == (request, response)
        assert raw.request_patch == {"stream": True}
        row = await platform.db.fetchrow("SELECT * FROM step_usage WHERE org_id = $1", org_id)
        assert row is not None
        assert (row["calls"], row["unattributed"], row["tokens_in"], row["cost_nano"]) == (3, 1, 9, 15)
        await make_organisation(platform.db)
    stores.postgres.stop()
