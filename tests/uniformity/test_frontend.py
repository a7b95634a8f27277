"""The dashboard's shape: small files, one list of addresses, features that know little of each other."""

import re
from pathlib import Path

from tests.uniformity.source import ROOT

SOURCE = ROOT / "frontend" / "src"
MOST_LINES = 250
GENERATED = {"api/schema.d.ts"}
# Lists of executions and agents' queries are part of several areas.
SHARED_FEATURES = {"agents", "executions", "overview"}


def _files() -> list[Path]:
    return [
        path
        for path in sorted(SOURCE.rglob("*"))
        if path.suffix in {".ts", ".tsx", ".css"} and str(path.relative_to(SOURCE)) not in GENERATED
    ]


def test_no_file_is_long() -> None:
    found = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in _files()}
    assert {name: lines for name, lines in found.items() if lines > MOST_LINES} == {}


def test_routes_are_thin() -> None:
    found = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in (SOURCE / "app").rglob("page.tsx")
    }
    assert {name: lines for name, lines in found.items() if lines > 20} == {}


def test_pages_name_no_address_themselves() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {address}"
        for path in _files()
        if path.name != "paths.ts"
        for address in re.findall(r'(?:href|push|replace)(?:=|\()\{?"(/[^"]*)"', path.read_text())
    ]
    assert not found


def test_nothing_comes_from_another_host() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {url}"
        for path in _files()
        for url in re.findall(r"https?://[^\s\"'`)]+", path.read_text())
        if not re.search(r"www\.w3\.org|localhost|\bexample\.com", url)
    ]
    assert not found


def test_tokens_are_in_no_storage() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in _files()
        if path.name != "theme.ts"
        and re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie", path.read_text())
    ]
    assert not found


def test_features_use_only_the_shared_ones_of_others() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {other}"
        for path in (SOURCE / "features").rglob("*.ts*")
        for other in re.findall(r'from "@/features/([^/"]+)/', path.read_text())
        if other != path.relative_to(SOURCE / "features").parts[0] and other not in SHARED_FEATURES
    ]
    assert not found
