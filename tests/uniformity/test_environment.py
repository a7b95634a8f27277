"""The environment is read in settings only, so that one place says what a process can be told."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.uniformity.source import PLATFORM, parsed, python_files

READERS = {"environ", "getenv", "putenv"}


def test_the_environment_is_read_in_settings_only() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path in python_files(*PLATFORM, "agent_runtime")
        if not _may(path)
        for node in _reading(parsed(path))
        if isinstance(node, ast.Attribute)
        and node.attr in READERS
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    ]
    assert not found


def _reading(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node but an environment that is handed on whole to a child: `{**os.environ, …}`."""
    handed_on = {
        id(value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if key is None
    }
    return (node for node in ast.walk(tree) if id(node) not in handed_on)


def _may(path: Path) -> bool:
    return path.name == "settings.py" or path.stem.endswith("_settings")
