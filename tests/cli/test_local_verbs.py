"""The local verbs as a person and a script meet them: words, columns and exit codes."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.contracts.catalog import STATUS_TABLE, entry
from services.embedded.settings import HIGHEST_PORT_BASE
from services.embedded.testing import TestRun, free_port

CHECKOUT = Path(__file__).parents[2]
AGENTPLANE = CHECKOUT / ".venv" / "bin" / "agentplane"


class Shell:
    """Somebody's terminal in a checkout that has no service yet, so that it starts quickly."""

    def __init__(self, root: Path, data: Path) -> None:
        self.root = root
        bases = (free_port() - entry("nats").port for _ in range(1000))
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "AGENTPLANE_DATA_DIR": str(data),
            "AGENTPLANE_PORT_BASE": str(next(base for base in bases if base <= HIGHEST_PORT_BASE)),
        }

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [AGENTPLANE, *arguments],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def type(self, text: str, *arguments: str) -> tuple[int, str]:
        """Run a verb on a terminal and type something; the exit code and what was shown."""
        here, there = pty.openpty()
        running = subprocess.Popen(
            [AGENTPLANE, *arguments],
            cwd=self.root,
            env=self.environment,
            stdin=there,
            stdout=there,
            stderr=there,
        )
        os.close(there)
        os.write(here, text.encode())
        shown = b""
        try:
            while chunk := os.read(here, 4096):
                shown += chunk
        except OSError:
            pass  # the terminal is gone once the command has ended
        os.close(here)
        return running.wait(60), shown.decode()


@pytest.fixture
def shell(run: TestRun, worker: str, tmp_path: Path) -> Iterator[Shell]:
    for name in (".env.example", ".venv"):
        (tmp_path / name).symlink_to(CHECKOUT / name)
    (tmp_path / "services" / "embedded").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    shell = Shell(tmp_path, run.directory / f"{worker}-cli-{tmp_path.name}")
    yield shell
    shell.run("down")


def test_a_verb_starts_without_the_packages_that_make_starting_slow() -> None:
    heavy = "{'fastapi', 'pydantic', 'asyncpg', 'httpx', 'rich', 'asyncio'}"
    code = f"import sys, agentplane_cli.app; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_from_install_to_reset(shell: Shell) -> None:
    started = shell.run("up")
    assert started.returncode == 0, started.stderr
    assert "apply the migrations" in started.stdout
    assert "\033" not in started.stdout
    status = shell.run("status")
    assert status.returncode == 0
    assert "35 parts: 3 healthy, 32 absent" in status.stdout
    told = json.loads(shell.run("status", "-o", "json").stdout)
    assert [part["name"] for part in told["parts"]] == [entry.name for entry in STATUS_TABLE]
    assert told["supervisor"]["state"] == "ready"
    assert "runs already" in shell.run("up").stdout
    assert "database system is ready" in shell.run("logs", "postgres").stdout
    assert "up to date" in shell.run("migrate").stdout
    findings = {finding["name"]: finding for finding in json.loads(shell.run("doctor", "-o", "json").stdout)}
    assert findings["stores"]["level"] == findings["settings"]["level"] == "ok"
    assert shell.run("down").stdout == "Stopped.\n"
    assert shell.run("down").stdout == "Nothing was running.\n"
    assert shell.run("reset", "--yes").returncode == 0
    assert not Path(shell.environment["AGENTPLANE_DATA_DIR"]).exists()
    assert (shell.root / ".env").exists()


def test_what_does_not_run_is_said_with_the_code_for_it(shell: Shell) -> None:
    status = shell.run("status")
    assert status.returncode == 6
    assert "start it with `agentplane up`" in status.stderr
    assert "absent" in status.stdout
    assert shell.run("dashboard").returncode == 6
    assert shell.run("logs", "prometheus").returncode == 3
    assert shell.run("status", "-o", "xml").returncode == 2
    assert shell.run("no-such-verb").returncode == 2


def test_outside_a_checkout_the_local_verbs_work_on_the_one_they_came_from(tmp_path: Path) -> None:
    code = "from agentplane_cli.checkout import find_checkout; print(find_checkout())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(CHECKOUT)


def test_data_that_another_checkout_s_platform_holds_is_left_alone(shell: Shell, tmp_path: Path) -> None:
    assert shell.run("up").returncode == 0
    other = Shell(tmp_path / "other", Path(shell.environment["AGENTPLANE_DATA_DIR"]))
    (other.root / "services" / "embedded").mkdir(parents=True)
    for name in (".env.example", ".venv"):
        (other.root / name).symlink_to(CHECKOUT / name)
    refused = other.run("up")
    assert refused.returncode == 5
    assert f"the platform of {shell.root} runs on" in refused.stderr
    assert shell.run("status").returncode == 0


def test_reset_deletes_only_after_the_word_was_typed(shell: Shell) -> None:
    assert shell.run("migrate").returncode == 0
    data = Path(shell.environment["AGENTPLANE_DATA_DIR"])
    refused = shell.run("reset")
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    code, shown = shell.type("yes\n", "reset")
    assert (code, data.exists()) == (2, True)
    assert str(data) in shown
    code, shown = shell.type("reset\n", "reset")
    assert (code, data.exists()) == (0, False)


def test_colour_is_for_terminals_and_only_where_it_is_wanted(shell: Shell) -> None:
    assert "\033[" in shell.type("", "status")[1]
    shell.environment["NO_COLOR"] = "1"
    assert "\033[" not in shell.type("", "status")[1]


def test_ctrl_c_while_it_starts_leaves_nothing_running(shell: Shell) -> None:
    for _ in range(5):
        running = subprocess.Popen(
            [AGENTPLANE, "up"], cwd=shell.root, env=shell.environment, stdout=subprocess.PIPE, text=True
        )
        assert running.stdout
        running.stdout.readline()
        running.send_signal(2)
        if running.wait(60) != 0:
            break
        # It was ready before the signal came: this was no start to interrupt.
        shell.run("down")
    assert running.returncode == 130
    assert shell.run("status").returncode == 6
    assert shell.run("down").stdout == "Nothing was running.\n"


def test_in_the_foreground_the_end_of_the_command_is_the_end_of_the_platform(shell: Shell) -> None:
    running = subprocess.Popen(
        [AGENTPLANE, "up", "--foreground"],
        cwd=shell.root,
        env=shell.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout
    while "agentplane down" not in running.stdout.readline():
        assert running.poll() is None
    assert shell.run("status").returncode == 0
    running.terminate()
    assert running.wait(60) == 130
    assert shell.run("down").stdout == "Nothing was running.\n"


def test_a_port_base_that_is_none_is_refused_with_a_sentence(shell: Shell) -> None:
    shell.environment["AGENTPLANE_PORT_BASE"] = "many"
    refused = shell.run("up")
    assert refused.returncode == 1
    assert "AGENTPLANE_PORT_BASE is a number from 0 to 50000, not 'many'" in refused.stderr
    assert "Traceback" not in refused.stderr
