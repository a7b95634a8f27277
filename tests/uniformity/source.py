"""The code as the rules look at it: files, syntax trees, services, and the SQL in strings."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from services import assembly
from services.contracts.catalog import Entry

# Where the tests stand, so that a checkout made of links is judged and not the one linked to.
ROOT = Path.cwd()
PLATFORM = ("services", "backend", "control_brain")
PRODUCT = (*PLATFORM, "agent_runtime", "scaffold", "cli")
OUTSIDE_OF_RULES = ("agent_runtime/examples/", "cli/build/")


def python_files(*folders: str) -> list[Path]:
    """The Python files of folders, relative to the checkout."""
    found = []
    for folder in folders:
        for path in sorted(_walk(ROOT / folder)):
            relative = path.relative_to(ROOT)
            if not str(relative).startswith(OUTSIDE_OF_RULES):
                found.append(relative)
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _walk(entry)
        elif entry.suffix == ".py":
            yield entry


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file, to look at only: all rules share it."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def folder_of(entry: Entry) -> str:
    """A service's folder, relative to the checkout."""
    return entry.package.replace(".", "/")


def landed() -> list[Entry]:
    """The services that exist in this version."""
    return assembly.landed()


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """String constants and f-strings with their lines, docstrings left out; a hole of an f-string is `{}`."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr) and id(node) not in prose
        for part in node.values
    }
    for node in ast.walk(tree):
        if id(node) in prose or id(node) in inside:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            yield node.lineno, template(node)


def template(node: ast.expr) -> str:
    """A string or an f-string with `{}` for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return "{}"


def tables() -> dict[str, str]:
    """Every table that the migrations leave -> the file that creates it."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "migrations").glob("*.sql")):
        text = path.read_text()
        dropped = re.findall(r"^DROP TABLE ([\w, ]+);", text, re.M)
        renamed = re.findall(r"^ALTER TABLE (\w+) RENAME TO", text, re.M)
        for name in {name for names in dropped for name in names.split(", ")} | set(renamed):
            found.pop(name, None)
        for name in re.findall(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", text, re.M):
            found[name] = path.name
    return found


WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM|TRUNCATE)\s+(?:ONLY\s+)?([a-z_]+)")
READS = re.compile(r"\b(?:FROM|JOIN|USING)\s+(?:ONLY\s+)?([a-z_]+)")


def written_tables(tree: ast.AST) -> set[str]:
    """The tables that the SQL of a file writes."""
    known = tables()
    return {name for _, text in strings(tree) for name in WRITES.findall(text) if name in known}


def read_tables(tree: ast.AST) -> set[str]:
    """The tables that the SQL of a file reads."""
    known = tables()
    return {name for _, text in strings(tree) for name in READS.findall(text) if name in known}


def section(docstring: str, heading: str) -> str | None:
    """What a service's docstring says under a heading, on as many lines as it takes; null without one."""
    found = re.search(rf"^{heading} +(.*(?:\n {{3,}}\S.*)*)", docstring, re.M)
    return " ".join(found[1].split()) if found else None


def docstring_of(entry: Entry) -> str:
    """The docstring of a service's folder."""
    return ast.get_docstring(parsed(Path(folder_of(entry)) / "__init__.py")) or ""
