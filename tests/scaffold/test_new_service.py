"""`make new-service`: what it renders is typed, formatted, keeps the layers, and its tests pass."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scaffold.new_service import FILES, CannotRender, render
from services.contracts.catalog import SERVICES

CHECKOUT = Path(__file__).parents[2]
NAME, PACKAGE = "usage-meter", "usage_meter"
SHARED = ("services", "services/contracts", "tests", "tests/services")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout as links, without the service, in which it is then rendered."""
    root = tmp_path_factory.mktemp("checkout")
    _link(CHECKOUT, root)
    render(NAME, root)
    return root


def _link(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for entry in source.iterdir():
        if entry.stem == PACKAGE or entry.name in {".git", "__pycache__", ".env"}:
            continue
        if str(entry.relative_to(CHECKOUT)) in SHARED:
            _link(entry, target / entry.name)
        else:
            (target / entry.name).symlink_to(entry)


def test_its_tests_pass(checkout: Path) -> None:
    _run(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/services/{PACKAGE}")


def test_it_is_typed(checkout: Path) -> None:
    paths = [f"services/{PACKAGE}", f"services/contracts/{PACKAGE}.py", f"tests/services/{PACKAGE}"]
    _run(checkout, "-m", "mypy", "--cache-dir", str(checkout / "types"), *paths)


def test_every_name_is_rendered_as_the_formatter_would(tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    (tmp_path / "tests").mkdir()
    for shared in ("pyproject.toml", "services/chassis", "services/embedded", "tests/platform.py"):
        (tmp_path / shared).symlink_to(CHECKOUT / shared)
    names = [entry.name for entry in SERVICES if entry.package.startswith("services.")]
    paths = [str(path) for name in names for path in render(name, tmp_path)]
    _run(tmp_path, "-m", "ruff", "check", "--no-cache", *paths)
    _run(tmp_path, "-m", "ruff", "format", "--no-cache", "--check", *paths)


def test_it_keeps_the_rules_of_every_service(checkout: Path) -> None:
    rules = [f"tests/uniformity/test_{rule}.py" for rule in ("docstrings", "client_paths")]
    _run(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", NAME, *rules)


def test_names_are_those_of_the_catalog_and_nothing_is_overwritten(tmp_path: Path) -> None:
    with pytest.raises(CannotRender, match="not in the catalog"):
        render("tea-maker", tmp_path)
    with pytest.raises(CannotRender, match="not in the catalog"):
        render("control-brain", tmp_path)
    assert len(render(NAME, tmp_path)) == len(FILES)
    with pytest.raises(CannotRender, match="there already"):
        render(NAME, tmp_path)


def _run(root: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
