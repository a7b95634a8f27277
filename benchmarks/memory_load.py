"""Searches a second in the store: pgbench, four clients, the product's statement, row-level security on."""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import asyncpg

from benchmarks.memory_data import Vectors
from services.memory_vector_engine.search_store import Question, statement_of

SECONDS = 8


async def searches_a_second(
    admin: "asyncpg.Connection[asyncpg.Record]",
    question: Question,
    queries: Vectors,
    programs: Path,
    url: str,
) -> float | None:
    """How many such searches a second; null when pgbench is not beside the server's programs."""
    pgbench = programs / "pgbench"
    if not pgbench.exists():
        return None
    await admin.execute("CREATE TABLE bench_queries (id int PRIMARY KEY, embedding real[])")
    await admin.execute("GRANT SELECT ON bench_queries TO agentplane_app")
    await admin.executemany(
        "INSERT INTO bench_queries VALUES ($1, $2)",
        [(number, query.tolist()) for number, query in enumerate(queries, 1)],
    )
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(f"\\set r random(1, {len(queries)})\n{_literal(question)};\n")
        script.flush()
        Path(script.name).chmod(0o644)
        return _run(pgbench, script.name, question.org_id, url)


def _literal(question: Question) -> str:
    statement, parameters = statement_of(question)
    for number, value in reversed(list(enumerate(parameters.values, 1))):
        statement = statement.replace(f"${number}", _sql(value))
    return statement.replace("\n", " ")


def _sql(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], float):
        return "(SELECT embedding FROM bench_queries WHERE id = :r)"
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int | float) else f"'{value}'"


def _run(pgbench: Path, script: str, org_id: UUID, url: str) -> float:
    parts = urlsplit(url)
    settings = [f"app.org={org_id}", "enable_seqscan=off", "enable_bitmapscan=off"]
    environment = {
        **os.environ,
        "PGPASSWORD": parts.password or "",
        "PGOPTIONS": " ".join(f"-c {each}" for each in settings),
    }
    command = [str(pgbench), "-n", "-c", "4", "-j", "1", "-T", str(SECONDS), "-M", "prepared", "-f", script]
    command += ["-h", parse_qs(parts.query)["host"][0], "-U", parts.username or "", parts.path.lstrip("/")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if found is None:
        raise RuntimeError(done.stderr[-2000:])
    return float(found[1])
