"""Each table has one owner, which its migration names; SQL stands in stores and the chassis only."""

import re
from collections import defaultdict

from tests.uniformity.source import (
    PLATFORM,
    ROOT,
    docstring_of,
    landed,
    parsed,
    python_files,
    section,
    strings,
    tables,
)

SQL = re.compile(
    r"^\s*(?:SELECT\s+[\w*(]|INSERT INTO\s|UPDATE\s+\w+\s+SET|DELETE FROM\s|WITH\s+\w+\s+(?:AS|\()|COPY\s|"
    r"CREATE TABLE|ALTER TABLE|TRUNCATE\s)",
)
# Rows two services write, each its own columns.
SHARED_BY_COLUMN = {"agent_instances": {"control-brain", "node-manager"}}
OF_THE_CHASSIS = {"outbox", "inbox", "dead_letters", "leases"}
# `SELECT 1`, by which a pool or a probe sees whether the database is there, says nothing of any table.
PING = "SELECT 1"


def owners() -> dict[str, set[str]]:
    """Who says it owns each table."""
    found: dict[str, set[str]] = defaultdict(set)
    for entry in landed():
        named = set(re.findall(r"[a-z_]+", section(docstring_of(entry), "Owns") or "")) & set(tables())
        for table in named - OF_THE_CHASSIS:
            found[table].add(entry.name)
    return found


def test_no_table_has_two_owners() -> None:
    shared = {table: who for table, who in owners().items() if len(who) > 1}
    assert shared == {table: who for table, who in SHARED_BY_COLUMN.items() if table in shared}


def test_every_table_has_an_owner() -> None:
    assert set(tables()) - set(owners()) - OF_THE_CHASSIS == set()


def test_migrations_name_their_owner() -> None:
    for path in sorted((ROOT / "migrations").glob("*.sql")):
        head = path.read_text(encoding="utf-8")[:2000]
        assert all(f"-- {heading}:" in head for heading in ("Purpose", "Tables")), f"{path.name}: no header"
        assert re.search(r"^-- Owners?:", head, re.M), f"{path.name} does not name its owner"


def test_sql_stands_in_stores_only() -> None:
    elsewhere = [
        f"{path}:{line}"
        for path in python_files(*PLATFORM)
        if path.stem != "store" and not path.stem.endswith("_store")
        if path.parts[:2] not in {("services", "chassis"), ("services", "embedded")}
        for line, text in strings(parsed(path))
        if SQL.match(text) and text.strip() != PING
    ]
    assert not elsewhere, "SQL outside of a store"
