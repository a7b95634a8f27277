"""`.env.example` names every knob; `python -m tests.uniformity.test_env_example` brings it up to date."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from services.chassis.settings import PlatformSettings, ServiceSettings
from services.contracts.catalog import BACKEND, SERVICES

EXAMPLE = Path(__file__).parents[2] / ".env.example"
HEADING = "# --- Knobs of the services "
INTRODUCTION = """\
# Every other knob with its default; take the `# ` away to set one. Written from the settings classes by
# `python -m tests.uniformity.test_env_example`.
"""
# Set by the supervisor for each process, and by nobody else.
TOLD_BY_THE_SUPERVISOR = {"AGENTPLANE_PROCESS", "AGENTPLANE_ACCEPTED_SERVICE_KEYS"}


def test_every_knob_is_in_the_example() -> None:
    assert EXAMPLE.read_text() == rendered(), "run `python -m tests.uniformity.test_env_example`"


def rendered() -> str:
    """The example with the knobs of today."""
    head, _, tail = EXAMPLE.read_text().partition(HEADING)
    _, keys, rest = tail.partition("# --- Service keys ") if tail else head.partition("# --- Service keys ")
    head = head if tail else head.partition("# --- Service keys ")[0]
    written = {
        line.partition("=")[0] for line in head.splitlines() if "=" in line and not line.startswith("#")
    }
    blocks = []
    for owner, kinds in settings_classes():
        lines = [line for kind in kinds for line in knobs_of(kind, written)]
        if lines:
            blocks.append("\n".join([f"# {owner}", *lines]))
    ruler = HEADING + "-" * (105 - len(HEADING))
    return f"{head}{ruler}\n{INTRODUCTION}\n" + "\n\n".join(blocks) + f"\n\n{keys}{rest}"


def settings_classes() -> Iterator[tuple[str, list[type[ServiceSettings]]]]:
    """The settings of the platform and of each service that exists, in the catalog's order."""
    yield "every process", [PlatformSettings]
    for entry in (BACKEND, *SERVICES):
        module = f"{entry.package}.settings"
        if find_spec(entry.package) and find_spec(module):
            kinds = [
                kind
                for kind in vars(import_module(module)).values()
                if isinstance(kind, type) and issubclass(kind, ServiceSettings) and kind.__module__ == module
            ]
            yield entry.name, kinds


def knobs_of(kind: type[ServiceSettings], written: set[str]) -> Iterator[str]:
    """A line for each knob that the example does not set further up."""
    for name, field in kind.model_fields.items():
        variable = variable_of(kind, name, field)
        if variable not in written | TOLD_BY_THE_SUPERVISOR:
            meaning = f"  # {field.description}" if field.description else ""
            yield f"# {variable}={default_of(field)}{meaning}"


def variable_of(kind: type[ServiceSettings], name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return f"{kind.model_config.get('env_prefix', '')}{name}".upper()


def default_of(field: FieldInfo) -> str:
    """The default as one would write it; empty where there is none or the machine decides."""
    if field.default is PydanticUndefined or field.default is None:
        return ""
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


if __name__ == "__main__":
    EXAMPLE.write_text(rendered())
