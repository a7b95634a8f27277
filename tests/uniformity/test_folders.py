"""A service is a folder with the same files, named by the catalog."""

from pathlib import Path

from services import assembly
from services.contracts.catalog import BACKEND, SERVICES
from tests.uniformity.source import ROOT, folder_of, landed

NOT_SERVICES = {"chassis", "contracts", "embedded"}


def test_every_folder_is_a_service_of_the_catalog() -> None:
    known = {folder_of(entry) for entry in (BACKEND, *SERVICES)}
    there = {
        f"services/{path.name}"
        for path in (ROOT / "services").iterdir()
        if (path / "__init__.py").exists() and path.name not in NOT_SERVICES
    }
    assert there <= known, f"not in the catalog: {sorted(there - known)}"


def test_every_service_has_the_files_of_a_service() -> None:
    missing = [
        f"{folder_of(entry)}/{name}"
        for entry in landed()
        for name in ("__init__.py", "service.py", "logic.py")
        if not (ROOT / folder_of(entry) / name).exists()
    ]
    missing += [
        f"{folder_of(entry)}/routes.py"
        for entry in landed()
        if assembly.load(entry.name).routes and not _has_routes(ROOT / folder_of(entry))
    ]
    assert not missing


def test_every_declaration_has_the_name_of_its_folder() -> None:
    assert [assembly.load(entry.name).name for entry in landed()] == [entry.name for entry in landed()]


def test_every_service_has_a_contract_and_tests() -> None:
    missing = []
    for entry in landed():
        short = folder_of(entry).rpartition("/")[2]
        if not (ROOT / "services" / "contracts" / f"{short}.py").exists():
            missing.append(f"services/contracts/{short}.py")
        places = (ROOT / "tests" / "services" / short, ROOT / "tests" / short)
        if not any(list(place.glob("test_*.py")) for place in places if place.exists()):
            missing.append(f"tests of {entry.name}")
    # websocket-gateway speaks to pages only, which call it by its WebSocket.
    assert [each for each in missing if each != "services/contracts/websocket_gateway.py"] == []


def test_ports_and_names_are_given_once() -> None:
    everything = (BACKEND, *SERVICES)
    assert len({entry.port for entry in everything}) == len(everything) == 29
    assert len({entry.name for entry in everything}) == len(everything)


def _has_routes(folder: Path) -> bool:
    return (folder / "routes.py").exists() or (folder / "routers").is_dir()
