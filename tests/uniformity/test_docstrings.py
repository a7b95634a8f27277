"""A service's docstring says what wakes it, what it owns, reads and asks, and the code agrees."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

from services import assembly
from services.contracts.catalog import Entry
from tests.uniformity.source import (
    docstring_of,
    folder_of,
    landed,
    parsed,
    python_files,
    read_tables,
    section,
    tables,
    written_tables,
)

# The chassis works on these for every service.
OF_THE_CHASSIS = {"outbox", "inbox", "dead_letters", "leases"}
every_service = pytest.mark.parametrize("entry", landed(), ids=lambda entry: entry.name)


def said(entry: Entry, heading: str) -> str:
    """What the docstring says under a heading."""
    text = section(docstring_of(entry), heading)
    assert text is not None, f"{folder_of(entry)}/__init__.py has no line `{heading}`"
    return text


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z_]+", text))


@every_service
def test_the_folder_says_only_what_it_is(entry: Entry) -> None:
    body = parsed(Path(folder_of(entry)) / "__init__.py").body
    assert len(body) == 1 and isinstance(body[0], ast.Expr), f"{folder_of(entry)}/__init__.py holds code"


@every_service
def test_wakes_on(entry: Entry) -> None:
    service, text = assembly.load(entry.name), said(entry, "Wakes on")
    topics = {handler.topic.subject for handler in service.handlers}
    named = set(re.findall(r"\b[a-z]+\.[a-z]+\b", text))
    assert named == topics, f"says {sorted(named)}, hears {sorted(topics)}"
    if service.routes:
        assert "request" in text or "order" in text, "it has routes and does not say `requests`"
    if service.loops:
        timed = re.search(r"every|hourly|daily|timer|loop", text)
        assert timed, "it has loops and does not say how often it looks"


@every_service
def test_owns(entry: Entry) -> None:
    owned = words(said(entry, "Owns")) & set(tables())
    written = set().union(*(written_tables(parsed(path)) for path in python_files(folder_of(entry))))
    assert written - OF_THE_CHASSIS <= owned, f"writes {sorted(written - OF_THE_CHASSIS - owned)} unsaid"
    assert owned - OF_THE_CHASSIS <= written, f"owns {sorted(owned - written)} and never writes it"


@every_service
def test_reads(entry: Entry) -> None:
    owned = words(said(entry, "Owns")) & set(tables())
    declared = words(section(docstring_of(entry), "Reads") or "") & set(tables())
    read = set().union(*(read_tables(parsed(path)) for path in python_files(folder_of(entry))))
    foreign = read - owned - OF_THE_CHASSIS
    assert foreign <= declared | owned, f"reads {sorted(foreign - declared)} unsaid"
    stale = declared - read - owned - OF_THE_CHASSIS
    assert not stale, f"says it reads {sorted(stale)}"


@every_service
def test_asks(entry: Entry) -> None:
    text = said(entry, "Asks")
    callees = set().union(*(_callees(parsed(path)) for path in python_files(folder_of(entry))))
    for callee in callees:
        assert re.search(rf"\b{callee}\b", text), f"asks {callee} and does not say so"
    named = {each.name for each in landed() if re.search(rf"(?<![\w-]){each.name}(?![\w-])", text)}
    assert named == callees, f"says it asks {sorted(named - callees)}"
    assert callees or "nobody" in text or "provider" in text


def _callees(tree: ast.Module) -> set[str]:
    """The services whose clients a file uses; several clients may speak to one service."""
    return {
        getattr(import_module(node.module), alias.name).service
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("services.contracts")
        for alias in node.names
        if alias.name.endswith("Client")
    }
