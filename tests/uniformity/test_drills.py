"""What counts differently in a soak is run by one: `make soak` takes the tests that are marked as drills."""

import ast
from pathlib import Path

import pytest

from tests.uniformity.source import parsed, python_files

TESTS = [path for path in python_files("tests") if path.name.startswith("test_")]


def asks_for_the_soak(tree: ast.Module) -> bool:
    """Whether a module takes a count from tests/soak.py."""
    return any(isinstance(node, ast.ImportFrom) and node.module == "tests.soak" for node in tree.body)


def is_a_drill(tree: ast.Module) -> bool:
    """Whether one of its tests, or all, bear the mark."""
    return any(isinstance(node, ast.Attribute) and node.attr == "drill" for node in ast.walk(tree))


@pytest.mark.parametrize(
    "path", [path for path in TESTS if asks_for_the_soak(parsed(path))], ids=lambda path: path.stem
)
def test_what_counts_in_a_soak_is_marked_as_a_drill(path: Path) -> None:
    assert is_a_drill(parsed(path)), f"{path} takes a count of tests/soak.py and `make soak` does not run it"
