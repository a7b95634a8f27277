"""
schemathesis drives every route of every service from its OpenAPI document, as a stranger with a key would.

No answer is a 5xx, every answer is what the document says, and no route that asks for a credential goes
without. A sample runs in the suite; `make soak` sends at least 100,000 requests.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Header
from pydantic import BaseModel

from benchmarks.report import Report
from services import assembly
from services.chassis.openapi import describe
from services.chassis.runner import listen_on, server_for
from services.chassis.testing import TestPlatform
from services.embedded.testing import WorkerStores
from services.secrets_manager.settings import SecretsSettings
from tests.backend.conftest import BESIDE, Tenant, backend_settings, make_tenant
from tests.backend.people import owner_of
from tests.platform import MASTER_KEY, platform_of
from tests.soak import SOAK, count, keep_parts, recorded

NAMES = ["backend", *BESIDE]
EXAMPLES = count(1, 100)
ROOT, HOOKS = Path(__file__).parents[2], "tests.services.schemathesis_hooks"
PHASES = "examples,coverage,fuzzing,stateful" if SOAK else "fuzzing"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "refuses_strangers",
    "gone_after_deletion",
)
WITH_CREDENTIAL = "of these with a credential that counts"
KINDS = {
    "ServerError": "answers of 5xx",
    "JsonSchemaError": "answers that break their schema",
    "IgnoredAuth": "routes that go without a credential",
    "TakesStrangers": "requests let in without a credential or with a forged one",
}
# It waits on purpose.
LEFT_OUT = ("/api/v1/executions/{execution_id}/wait",)

pytestmark = pytest.mark.drill


class Number(BaseModel):
    """What a route of the test says it answers."""

    number: int


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    settings = backend_settings(
        requests_per_minute=100_000_000, requests_at_once=10_000, access_token_seconds=3600
    )
    overrides = [SecretsSettings(master_key=MASTER_KEY), settings]
    async with platform_of(NAMES, stores.environment(), listen=True, overrides=overrides) as platform:
        yield platform


def note(service: str, found: dict[str, int]) -> None:
    """Keep what was found in one service; with all of them there is a report."""
    every = keep_parts("documents", {service: found})
    if set(DRIVEN) <= set(every):
        title, tests = "every route answers as its document says", "tests/services/test_openapi.py"
        with recorded("documents", title, tests) as report:
            write(report, sum(map(Counter, every.values()), Counter[str]()))


def write(report: Report, found: "Counter[str]") -> None:
    """The figures of all services together."""
    report.add("services", len(DRIVEN), "")
    for name in ("operations", "requests", WITH_CREDENTIAL):
        report.add(name, found.pop(name), "", at_least=100_000 if name == "requests" else None)
    for kind, name in KINDS.items():
        report.add(name, found.pop(kind, 0), "", at_most=0)
    report.add("other differences from the document", found.total(), "", at_most=0)
    report.note(
        "Every generated request was sent again without its credential and with a forged one: each a 401."
    )


@pytest.fixture(scope="module")
async def tenant(platform: TestPlatform) -> Tenant:
    return await make_tenant(platform)


async def credentials(platform: TestPlatform, tenant: Tenant, service: str) -> tuple[list[str], list[str]]:
    """The headers of whoever may call the service, and the ids that the run must leave alone."""
    if service == "backend":
        async with owner_of(tenant) as owner:
            me = await owner.asks("GET", "/auth/me")
            token = owner.http.headers["Authorization"]
        return [f"Authorization: {token}"], [me["session_id"], me["id"], me["organisation_id"]]
    keys = platform.running.platform.service_keys
    return [f"X-Service-API-Key: {keys['backend']}", f"X-AgentPlane-Org: {tenant.org_id}"], []


async def driven(url: str, credentials: list[str], report: Path, kept: Sequence[str] = ()) -> dict[str, Any]:
    """What schemathesis found; the whole of its output when it could not run."""
    headers = [part for each in credentials for part in ("--header", each)]
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "schemathesis",
        "--no-color", "run", f"{url}/openapi.json", *headers,
        "--phases", PHASES, "--max-examples", str(EXAMPLES),
        "--checks", ",".join(CHECKS),
        "--no-shrink", "--generation-database", "none", "--continue-on-failure", "--warnings", "off",
        "--suppress-health-check", "all",
        "--request-timeout", "60", "--report", "json", "--report-json-path", report,
        *(part for path in LEFT_OUT for part in ("--exclude-path", path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=report.parent,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": HOOKS,
            "PYTHONPATH": str(ROOT),
            "AGENTPLANE_KEPT_IDS": " ".join(kept),
        },
    )  # fmt: skip
    output, _ = await process.communicate()
    assert report.exists(), output.decode()
    found: dict[str, Any] = json.loads(report.read_text())
    found["output"] = output.decode()
    return found


def operations(service: str) -> int:
    return sum(bool(router.routes) for router in assembly.load(service).routes)


def answered(platform: TestPlatform, service: str) -> dict[str, float]:
    """How many requests the service has answered so far, by status."""
    by_status: Counter[str] = Counter()
    for metric in platform.running.resources[service].metrics.requests.collect():
        for sample in metric.samples:
            if sample.name.endswith("_total"):
                by_status[sample.labels["status"]] += int(sample.value)
    return dict(by_status)


DRIVEN = [name for name in NAMES if operations(name)]


@pytest.mark.parametrize("service", DRIVEN)
async def test_every_route_answers_as_its_document_says(
    platform: TestPlatform, tenant: Tenant, service: str, tmp_path: Path
) -> None:
    headers, kept = await credentials(platform, tenant, service)
    before = answered(platform, service)
    found = await driven(platform.url(service), headers, tmp_path / "report.json", kept)
    sent = {status: number - before.get(status, 0) for status, number in answered(platform, service).items()}
    counts = {
        "operations": found["operations"]["tested"],
        "requests": int(sum(sent.values())),
        WITH_CREDENTIAL: int(sum(sent.values()) - sent.get("401", 0)),
    }
    note(service, counts | Counter(each["type"] for each in found["failures"]))
    assert found["test_cases"]["generated"] > 0 and not found["errors"], found["output"]
    assert not [status for status, number in sent.items() if status >= "500" and number], sent
    assert not found["failures"], found["output"][-20_000:]


async def test_what_is_wrong_would_be_found(tmp_path: Path) -> None:
    async def crashing() -> None:
        raise ZeroDivisionError

    async def lying() -> Any:
        return {"number": "none"}

    async def open_to_all(authorization: str | None = Header(None)) -> dict[str, str]:
        return {"secret": "for everybody"}

    app = FastAPI()
    app.add_api_route("/crashing", crashing)
    app.add_api_route("/lying", lying, responses={200: {"model": Number}})
    app.add_api_route("/open", open_to_all)
    describe(app, edge=True, public_paths={"/crashing", "/lying"})
    server, bound = server_for(app), listen_on("127.0.0.1", 0)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        found = await driven(url, ["Authorization: Bearer some"], tmp_path / "report.json")
    finally:
        server.should_exit = True
        await serving
    assert {each["type"] for each in found["failures"]} >= set(KINDS)
