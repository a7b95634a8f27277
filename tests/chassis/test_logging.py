"""Logs: JSON lines in which no value under a secret's name can be read."""

import subprocess
import sys

import orjson

SCRIPT = """
import structlog
from services.chassis.logging import configure_logging

configure_logging("INFO", "probe")
log = structlog.get_logger()
log.debug("hidden.level")
log.info("plain", org_id="o-1", count=3)
log.info("named", password="canary", api_key="canary", Authorization="Bearer canary", refresh_token="canary")
log.info("nested", headers={"Cookie": "canary", "accept": "json"}, rows=[{"client_secret": "canary", "n": 1}])
log.info("empty", secret=None)
"""


def test_secrets_are_hidden_wherever_they_stand() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert "canary" not in done.stdout + done.stderr
    lines = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert [line["event"] for line in lines] == ["plain", "named", "nested", "empty"]
    assert (lines[0]["org_id"], lines[0]["count"], lines[0]["process"]) == ("o-1", 3, "probe")
    assert lines[2]["headers"] == {"Cookie": "(hidden)", "accept": "json"}
    assert lines[2]["rows"] == [{"client_secret": "(hidden)", "n": 1}]
