"""Building the dashboard of a checkout: once for each state of its sources, with a reason when it fails."""

import json
from pathlib import Path

import pytest

from services.embedded.dashboard import DashboardBuild
from services.embedded.faults import LocalModeError
from services.embedded.settings import LocalSettings

# What the real script does as far as its caller can see: files and a manifest at the place it is told.
BUILD = """
import { mkdirSync, writeFileSync } from "node:fs";
const [, , mode, target] = process.argv;
if (process.env.FAIL) process.exit(3);
mkdirSync(target, { recursive: true });
writeFileSync(`${target}/index.html`, `<p>${mode}</p>`);
writeFileSync(`${target}/manifest.json`, JSON.stringify({ policies: {} }));
"""
LOCK = {"name": "dashboard", "lockfileVersion": 3, "requires": True, "packages": {"": {"name": "dashboard"}}}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    frontend = tmp_path / "frontend"
    (frontend / "scripts").mkdir(parents=True)
    (frontend / "scripts" / "build.mjs").write_text(BUILD)
    (frontend / "package.json").write_text(json.dumps({"name": "dashboard", "private": True}))
    (frontend / "package-lock.json").write_text(json.dumps(LOCK))
    return tmp_path


def _status(checkout: Path) -> dict[str, str]:
    told = json.loads((checkout / "frontend" / ".build" / "status.json").read_text())
    assert isinstance(told, dict)
    return told


def test_it_is_built_once_for_each_state_of_the_sources(checkout: Path) -> None:
    first = DashboardBuild(checkout)
    assert not first.built
    first.run()
    assert DashboardBuild(checkout).built
    assert (first.directory / "index.html").read_text() == "<p>export</p>"
    assert _status(checkout)["state"] == "ready"
    written = (first.directory / "manifest.json").stat().st_mtime_ns
    DashboardBuild(checkout).run()
    assert (first.directory / "manifest.json").stat().st_mtime_ns == written

    # What a build leaves and what only tests read makes no other dashboard; a changed source does.
    (checkout / "frontend" / "tests").mkdir()
    (checkout / "frontend" / "tests" / "session.mjs").write_text("// a test")
    assert DashboardBuild(checkout).built
    (checkout / "frontend" / "src").mkdir()
    (checkout / "frontend" / "src" / "page.tsx").write_text("// a page")
    changed = DashboardBuild(checkout)
    assert not changed.built
    changed.run()
    assert changed.built


def test_a_failed_build_says_why(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(LocalModeError, match="could not be built"):
        DashboardBuild(checkout).run()
    told = _status(checkout)
    assert told["state"] == "failed"
    assert "build.log" in told["detail"]
    monkeypatch.delenv("FAIL")
    DashboardBuild(checkout).run()
    assert DashboardBuild(checkout).built


def test_local_mode_is_told_how_to_serve_it(checkout: Path) -> None:
    def chosen(value: str) -> str:
        return LocalSettings(checkout, {"AGENTPLANE_DASHBOARD": value}, {}).dashboard

    assert LocalSettings(checkout, {}, {}).dashboard == "auto"
    assert [chosen("prebuilt"), chosen("off")] == ["prebuilt", "off"]
    with pytest.raises(LocalModeError, match="auto, prebuilt or off"):
        chosen("sometimes")
    (checkout / "frontend" / "package-lock.json").unlink()
    assert chosen("auto") == "off"
