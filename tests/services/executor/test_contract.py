"""What the agent contract promises a process: its environment, a token that is replaced, words of health."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from services.executor.environment import Places, variables
from services.executor.probes import ask
from tests.services.executor.test_executor import Node, node
from tests.services.executor.workbench import key, order
from tests.waiting import until

__all__ = ["node"]
PLACES = Places("http://127.0.0.1:9", 8080, "/h", "/h/token", "/h/input", "/bin")
USUAL = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "PYTHONUNBUFFERED"}
ALWAYS = {
    *("PORT", "AGENTPLANE_URL", "AGENTPLANE_TOKEN_FILE", "AGENTPLANE_MCP_URL"),
    *("AGENTPLANE_ORG_ID", "AGENTPLANE_AGENT_ID", "AGENTPLANE_AGENT_NAME", "AGENTPLANE_AGENT_VERSION"),
    *("AGENTPLANE_INSTANCE_ID", "OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_API_KEY"),
    *("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
}
JOBS = {"AGENTPLANE_INPUT_FILE", "AGENTPLANE_EXECUTION_ID"}
TRACED = {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"}
WAIT_FOR_ANOTHER = """
import os, time
read = lambda: open(os.environ["AGENTPLANE_TOKEN_FILE"]).read()
first = read()
print("has", flush=True)
while read() == first: time.sleep(0.02)
print(first.strip(), read().strip())
"""


@pytest.mark.parametrize(
    ("mode", "endpoint", "expected"),
    [
        ("service", None, ALWAYS),
        ("job", None, ALWAYS | JOBS),
        ("service", "http://127.0.0.1:4317", ALWAYS | TRACED),
    ],
)
def test_the_environment_is_the_contracts_list(mode: str, endpoint: str | None, expected: set[str]) -> None:
    given = variables(order("a", mode=mode, spec={"env_vars": {"MINE": "1"}}), key(), PLACES, endpoint)
    assert set(given) == expected | USUAL | {"MINE"}
    assert given["OPENAI_API_KEY"] == given["ANTHROPIC_API_KEY"] == key().key


def test_the_documents_list_is_the_same() -> None:
    text = Path("docs/agents.md").read_text()
    table = text[text.index("## What is in the environment") : text.index("## Which execution does a call")]
    named = {name for name in re.findall(r"`([A-Z][A-Z_]+)`", table) if name != "SIGTERM"}
    assert named == ALWAYS | JOBS | TRACED


async def test_a_token_is_replaced_while_the_agent_runs(node: Node) -> None:
    wanted = order("python", "-c", WAIT_FOR_ANOTHER)
    assert (await node.give(wanted)).accepted
    await until(lambda: "has" in node.told.printed(wanted.run_id))
    node.logic._held[wanted.run_id].token_rotated = 0.0
    await node.logic.rotate_tokens()
    assert (await node.exited(wanted)).exit.code == 0
    await until(lambda: node.told.printed(wanted.run_id)[-1:] == ["token-1 token-2"])


@pytest.mark.parametrize(
    ("body", "well", "ready"),
    [
        (b"", True, True),
        (b"fine", True, True),
        (b'{"status": "Healthy", "active": 0}', True, True),
        (b'{"status": "HealthyBusy", "active": 1}', True, True),
        (b'{"status": "Draining", "active": 1}', True, False),
        (b'{"status": "Broken"}', False, False),
    ],
)
async def test_health_in_the_contracts_words(body: bytes, well: bool, ready: bool) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port: Any = server.sockets[0].getsockname()[1]
    async with server:
        found = await ask(port, "/healthz", 5)
    assert (found.well, found.ready) == (well, ready)
