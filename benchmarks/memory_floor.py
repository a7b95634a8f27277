"""What no search through the gateway can do without: its question's embedding, and one durable commit."""

import time
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
import asyncpg

from benchmarks.report import Report


async def floor_figures(report: Report, endpoint: str, database: str, texts: Sequence[str]) -> None:
    """Each alone, with nothing around it, by the clients that the product uses."""
    async with aiohttp.ClientSession() as session:

        async def embed(text: str) -> None:
            body = {"model": "bench", "input": [text], "encoding_format": "base64"}
            async with session.post(f"{endpoint}/embeddings", json=body) as answer:
                await answer.read()

        report.add("of that: a bare call for an embedding, p50", await _middle(embed, texts), "ms")
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE TABLE bench_commits (text text)")

    async def commit(text: str) -> None:
        await connection.execute("INSERT INTO bench_commits VALUES ($1)", text)

    report.add("of that: a bare insert and its commit, p50", await _middle(commit, texts), "ms")
    await connection.execute("DROP TABLE bench_commits")
    await connection.close()


async def _middle(call: Callable[[str], Awaitable[None]], texts: Sequence[str]) -> float:
    took = []
    for text in texts:
        began = time.perf_counter()
        await call(text)
        took.append((time.perf_counter() - began) * 1000)
    return sorted(took)[len(took) // 2]
