"""
Rendering a service: the files of `templates/`, with the catalog's name and purpose put in.

What comes out is whole: it starts, answers one route through its typed client, and its tests pass. Tables,
topics and loops come with the job the service is given.
"""

from itertools import groupby
from pathlib import Path
from string import Template

from services.contracts.catalog import SERVICES

TEMPLATES = Path(__file__).parent / "templates"

# Template -> where it goes; `$package` is the folder's name.
FILES = {
    "init.py": "services/$package/__init__.py",
    "service.py": "services/$package/service.py",
    "routes.py": "services/$package/routes.py",
    "logic.py": "services/$package/logic.py",
    "contract.py": "services/contracts/$package.py",
    "test.py": "tests/services/$package/test_$package.py",
}


class CannotRender(Exception):
    """The service cannot be rendered; the message says why."""


def render(name: str, root: Path) -> list[Path]:
    """Write the files of a new service below a checkout; refuse to touch what is there."""
    entry = next((each for each in SERVICES if each.name == name), None)
    if entry is None or not entry.package.startswith("services."):
        known = ", ".join(each.name for each in SERVICES)
        raise CannotRender(f"{name} is not in the catalog; a service is one of {known}")
    package = name.replace("-", "_")
    words = {
        "name": name,
        "package": package,
        "title": name.replace("-", " "),
        "Title": name.replace("-", " ").capitalize(),
        "Class": "".join(part.capitalize() for part in name.split("-")),
        "purpose": entry.purpose,
        "does": entry.purpose[0].lower() + entry.purpose[1:],
    }
    targets = {template: root / Template(path).substitute(words) for template, path in FILES.items()}
    if taken := [str(path) for path in targets.values() if path.exists()]:
        raise CannotRender(f"{name} is there already: {', '.join(taken)}")
    for template, path in targets.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (TEMPLATES / f"{template}.template").read_text(encoding="utf-8")
        path.write_text(_sorted_imports(Template(text).substitute(words)), encoding="utf-8")
    return list(targets.values())


def _sorted_imports(text: str) -> str:
    """The text with each block of our own imports in order, which depends on the service's name."""
    lines: list[str] = []
    for ours, block in groupby(text.splitlines(), lambda line: line.startswith("from services.")):
        found = list(block)
        lines += sorted(found) if ours else found
    return "\n".join(lines) + "\n"
