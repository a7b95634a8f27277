"""The dashboard on the API's origin: which file answers, under which policy, and what is not a page."""

import gzip
import json
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from backend.middleware.pages import Pages
from backend.services.dashboard import Dashboard

POLICY = "default-src 'self'; script-src 'self' 'sha256-abc='"
SIGNED_IN = {"Cookie": "ap_session=1"}
PAGE = {"Accept": "text/html"}


async def _api(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"api"})


async def _live(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("no WebSocket is opened here")


def _browser(directory: Path | None) -> httpx.AsyncClient:
    app = Pages(_api, Dashboard(directory), _live)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://dashboard")


@pytest.fixture
def export(tmp_path: Path) -> Path:
    directory = tmp_path / ".build" / "0123"
    files = {
        "index.html": "<p>overview</p>",
        "404.html": "<p>nothing here</p>",
        "login.html": "<p>log in</p>",
        "invitation.html": "<p>join</p>",
        "agents.html": "<p>agents</p>",
        "agents/new.html": "<p>a new agent</p>",
        "agents/_.html": "<p>any agent</p>",
        "agents/_.txt": "any agent's data",
        "agents/_/__next.agents.$d$id.txt": "a segment",
        "_next/static/chunks/a.js": "console.log(1)",
    }
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        if path.suffix == ".js":
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(content.encode()))
    pages = {name: POLICY for name in files if name.endswith(".html")}
    (directory / "manifest.json").write_text(json.dumps({"policies": pages}))
    return directory


async def test_a_page_is_answered_under_its_policy_and_for_any_id(export: Path) -> None:
    async with _browser(export) as browser:
        answers = {
            "/": "<p>overview</p>",
            "/agents": "<p>agents</p>",
            "/agents/new": "<p>a new agent</p>",
            "/agents/0199-4711": "<p>any agent</p>",
        }
        for path, content in answers.items():
            answer = await browser.get(path, headers={**PAGE, **SIGNED_IN})
            assert (answer.status_code, answer.text) == (200, content), path
            assert answer.headers["content-security-policy"] == POLICY
            assert answer.headers["x-frame-options"] == "DENY"
            again = {**PAGE, **SIGNED_IN, "If-None-Match": answer.headers["etag"]}
            assert (await browser.get(path, headers=again)).status_code == 304
        for path in ("/agents/0199-4711.txt", "/agents/0199-4711/__next.agents.%24d%24id.txt?_rsc=1"):
            assert (await browser.get(path)).status_code == 200, path
        head = await browser.head("/agents/0199-4711.txt")
        assert (head.status_code, head.content) == (200, b"")


async def test_who_has_no_session_is_led_to_the_login_and_back(export: Path) -> None:
    async with _browser(export) as browser:
        there = await browser.get("/agents/7?tab=logs", headers=PAGE)
        assert there.status_code == 307
        assert there.headers["location"] == "/login?next=/agents/7%3Ftab%3Dlogs"
        assert (await browser.get("/login", headers=PAGE)).text == "<p>log in</p>"
        assert (await browser.get("/invitation", headers=PAGE)).text == "<p>join</p>"


async def test_files_that_never_change_are_kept_and_compressed(export: Path) -> None:
    async with _browser(export) as browser:
        script = await browser.get("/_next/static/chunks/a.js")
        assert script.headers["content-encoding"] == "gzip"
        assert script.text == "console.log(1)"
        assert "immutable" in script.headers["cache-control"]
        plain = await browser.get("/_next/static/chunks/a.js", headers={"Accept-Encoding": "identity"})
        assert (plain.text, plain.headers.get("content-encoding")) == ("console.log(1)", None)


async def test_what_is_the_apis_stays_the_apis(export: Path) -> None:
    async with _browser(export) as browser:
        for path in ("/api/v1/agents", "/docs", "/openapi.json", "/ready", "/internal/bundles"):
            assert (await browser.get(path, headers={**PAGE, **SIGNED_IN})).status_code == 418, path
        # Programs find the index of the API at the root, and problem+json elsewhere.
        assert (await browser.get("/")).status_code == 418
        assert (await browser.get("/nothing")).status_code == 418
        assert (await browser.post("/agents", headers=PAGE)).status_code == 418
        missing = await browser.get("/nothing/here", headers={**PAGE, **SIGNED_IN})
        assert (missing.status_code, missing.text) == (404, "<p>nothing here</p>")
        for path in ("/..%2f..%2fmanifest.json", "/manifest.json", "/../status.json"):
            assert (await browser.get(path)).status_code == 418, path


async def test_until_it_is_built_a_page_says_so_and_opens_itself(tmp_path: Path) -> None:
    builds = tmp_path / ".build"
    builds.mkdir()
    async with _browser(builds / "0123") as browser:
        absent = await browser.get("/", headers=PAGE)
        assert absent.status_code == 503
        assert "make dashboard" in absent.text
        (builds / "status.json").write_text(json.dumps({"state": "building", "detail": "since <noon>"}))
        waiting = await browser.get("/agents", headers=PAGE)
        assert (waiting.status_code, waiting.headers["retry-after"]) == (503, "3")
        assert "since &lt;noon&gt;" in waiting.text
        assert 'http-equiv="refresh"' in waiting.text
        (builds / "status.json").write_text(json.dumps({"state": "failed", "detail": "no Node"}))
        failed = await browser.get("/", headers=PAGE)
        assert "no Node" in failed.text
        assert 'http-equiv="refresh"' not in failed.text
        built = builds / "0123"
        built.mkdir()
        (built / "index.html").write_text("<p>overview</p>")
        (built / "manifest.json").write_text(json.dumps({"policies": {"index.html": POLICY}}))
        assert (await browser.get("/", headers={**PAGE, **SIGNED_IN})).status_code == 200


async def test_where_no_dashboard_is_configured_there_are_no_pages() -> None:
    async with _browser(None) as browser:
        assert (await browser.get("/", headers=PAGE)).status_code == 418
