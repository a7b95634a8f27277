"""Every topic has a subject of its own, somebody who publishes to it, and somebody who hears it."""

import ast
from importlib import import_module
from pathlib import Path

from services import assembly
from services.chassis.topic import Topic
from tests.uniformity.source import landed, parsed, python_files


def topics() -> dict[str, Topic[object]]:
    """The topics of the contracts by the name of their constant."""
    found: dict[str, Topic[object]] = {}
    for path in python_files("services/contracts"):
        module = import_module(".".join(path.with_suffix("").parts))
        found |= {
            name: value
            for name, value in vars(module).items()
            if isinstance(value, Topic) and _assigns(path, name)
        }
    return found


def test_subjects_are_unique() -> None:
    subjects = [topic.subject for topic in topics().values()]
    assert len(set(subjects)) == len(subjects)


def test_every_topic_has_a_publisher() -> None:
    mentioned = set().union(
        *(_published(path) for path in python_files("services", "backend", "control_brain"))
    )
    assert set(topics()) <= mentioned, f"nobody publishes {sorted(set(topics()) - mentioned)}"


def test_every_topic_has_a_subscriber() -> None:
    heard = {handler.topic.subject for entry in landed() for handler in assembly.load(entry.name).handlers}
    silent = {name for name, topic in topics().items() if topic.subject not in heard}
    assert not silent, f"nobody hears {sorted(silent)}"


def _assigns(path: Path, name: str) -> bool:
    return any(
        isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name
        for node in parsed(path).body
    )


def _published(path: Path) -> set[str]:
    """Topics that a file uses elsewhere than in `on(TOPIC, …)`."""
    if path.name == "service.py" or path.parts[:2] == ("services", "contracts"):
        return set()
    return {node.id for node in ast.walk(parsed(path)) if isinstance(node, ast.Name) and node.id.isupper()}
