"""The compose file has every service of the catalog, each as confined as the others, and no other secrets."""

import asyncio
import os
from typing import Any

import pytest
import yaml

from services.contracts.catalog import SURROUNDINGS
from services.embedded.settings import key_variable
from tests.uniformity.source import ROOT, landed

STORES = {entry.name for entry in SURROUNDINGS if entry.kind == "store"}
BESIDE_THE_ENGINE = "executor"
READY = "services/ready.sh"
DASHBOARD = next(entry.name for entry in SURROUNDINGS if entry.kind == "web")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return dict(document["services"])


def test_every_service_of_this_version_is_there_and_nothing_else(services: dict[str, Any]) -> None:
    assert set(services) == {*(entry.name for entry in landed()), *STORES, DASHBOARD, "migrate"}


def test_every_service_runs_itself_and_holds_its_own_key(services: dict[str, Any]) -> None:
    for entry in landed():
        service = services[entry.name]
        assert service["command"] == [entry.name]
        assert service["environment"]["AGENTPLANE_PROCESS"] == entry.name
        assert service["environment"]["AGENTPLANE_READY_PORT"] == entry.port
        keys = {name for name in service["environment"] if name.startswith("AGENTPLANE_SERVICE_KEY_")}
        assert keys == {key_variable(entry.name)}


def test_every_service_is_confined(services: dict[str, Any]) -> None:
    for name in (*(entry.name for entry in landed()), DASHBOARD):
        service = services[name]
        assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
        assert service["pids_limit"] and service["mem_limit"]
        assert service["healthcheck"]["test"] == ["CMD", READY] or name == DASHBOARD
        if name != BESIDE_THE_ENGINE:
            assert not {"user", "cap_add", "privileged", "pid", "network_mode"} & set(service), name
            assert service["networks"] and "no-new-privileges:true" in service["security_opt"]


def test_the_dashboard_is_told_where_the_api_is_and_nothing_else(services: dict[str, Any]) -> None:
    assert set(services[DASHBOARD]["environment"]) == {"AGENTPLANE_API_URL"}
    assert services[DASHBOARD]["env_file"] == []


def test_only_the_edge_is_published_and_on_loopback(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"backend", DASHBOARD}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


@pytest.mark.parametrize(("answer", "code"), [("200 OK", 0), ("503 Service Unavailable", 1), ("", 1)])
async def test_a_container_is_ready_when_its_service_says_so(answer: str, code: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {answer}\r\n\r\n".encode() if asked.startswith(b"GET /ready ") else b"")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = str(server.sockets[0].getsockname()[1])
    assert await _ready(port) == code
    server.close()
    await server.wait_closed()
    assert await _ready(port) == 1, "nobody listens"


async def _ready(port: str) -> int:
    process = await asyncio.create_subprocess_exec(
        ROOT / READY, env={**os.environ, "AGENTPLANE_READY_PORT": port}, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()
