"""A file fits into one reading, a function onto one screen."""

import ast
from pathlib import Path

from tests.uniformity.source import PRODUCT, ROOT, parsed, python_files

MOST_LINES_OF_A_FILE = 300
# A test file is a list of cases; two screens more do not make it harder to read.
MOST_LINES_OF_A_TEST_FILE = 400
MOST_LINES_OF_A_FUNCTION = 40
# A service's `build` is the list of its parts, one a line.
MOST_LINES_OF_BUILD = 60


def test_files_are_short() -> None:
    long = [
        f"{path}: {lines} lines"
        for path in python_files(*PRODUCT, "tests", "benchmarks")
        if (lines := len((ROOT / path).read_text(encoding="utf-8").splitlines())) > _most(path)
    ]
    assert not long


def test_functions_are_short() -> None:
    long = [
        f"{path}:{node.lineno} {node.name}: {lines} lines"
        for path in python_files(*PRODUCT)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := _lines(node))
        > (MOST_LINES_OF_BUILD if _is_build(path, node) else MOST_LINES_OF_A_FUNCTION)
    ]
    assert not long


def _is_build(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return path.name == "service.py" and function.name == "build"


def _most(path: Path) -> int:
    return MOST_LINES_OF_A_TEST_FILE if path.parts[0] == "tests" else MOST_LINES_OF_A_FILE


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body: a signature is as long as what it takes, and a docstring costs nobody."""
    body = function.body
    if len(body) > 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1
