"""What a long conversation takes on disk: little more than what is new in it."""

import asyncpg
import orjson

from benchmarks.journal_data import Material, answer, step
from services.chassis.ids import new_id
from services.contracts.agent_observability import AgentObservabilityClient
from services.embedded.testing import TestRun, migrate
from tests.platform import make_organisation, platform_of

CALLS, TEXT = 100, 8_192
# Compared with the unique text; the goal of the project.
MOST = 1.2


async def test_a_hundred_calls_take_little_more_than_their_unique_text(run: TestRun) -> None:
    """200,000 tokens of noise, a hundred calls that repeat what came before, indexes and all."""
    stores, material = run.stores("journal-size"), Material(5)
    stores.postgres.start()
    migrate(stores.addresses())
    admin = await asyncpg.connect(stores.postgres.superuser_url("agentdb"))

    async def size() -> int:
        await admin.execute("CHECKPOINT")
        query = (
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relname ~ '^step'"
        )
        return int(await admin.fetchval(query))

    async with platform_of(["agent-observability"], stores.addresses().migration_environment()) as platform:
        journal = platform.client(AgentObservabilityClient, "agent-gateway")
        org_id, execution_id, agent_id = await make_organisation(platform.db), new_id(), new_id()
        before, messages, unique, request = await size(), list[dict[str, str]](), 0, b""
        for seq in range(1, CALLS + 1):
            asked, said = (
                material.noise(TEXT // 2),
                {"role": "assistant", "content": material.noise(TEXT // 2)},
            )
            unique += TEXT
            messages.append({"role": "user", "content": asked})
            request = orjson.dumps({"model": "gpt-4o-mini", "messages": messages})
            bodies = {"request_bytes": request, "response_bytes": answer(said)}
            await journal.append_steps([step(org_id, agent_id, execution_id, seq, **bodies)])
            messages.append(said)
        grown = (await size() - before) / unique
        [raw] = await journal.raw(org_id, execution_id, [CALLS])
    await admin.close()
    stores.postgres.stop()
    assert raw.request_bytes == request
    assert grown <= MOST, f"{grown:.2f} times the unique text"
