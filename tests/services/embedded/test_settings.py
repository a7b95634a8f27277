"""Each process is told what it needs and no more; the node learns no credential of a store."""

from pathlib import Path

import pytest

from services.chassis.settings import PlatformSettings
from services.contracts.catalog import CALLERS, Process
from services.embedded.env_file import complete_env, read_env
from services.embedded.faults import LocalModeError
from services.embedded.settings import LocalSettings, key_variable

EXAMPLE = Path(__file__).parents[3] / ".env.example"
STORES = {
    "DATABASE_APP_URL": "postgresql://app:in-the-app-url@/agentdb",
    "DATABASE_SYSTEM_URL": "postgresql://system:in-the-system-url@/agentdb",
    "REDIS_URL": "unix://:in-the-redis-url@/redis.sock",
    "NATS_URL": "nats://agentplane:in-the-nats-url@127.0.0.1:4222",
}
PROCESSES: tuple[Process, ...] = ("control", "journal", "data-path", "node")


@pytest.fixture
def settings(tmp_path: Path) -> LocalSettings:
    complete_env(tmp_path / ".env", EXAMPLE, known={})
    environment = {
        "PATH": "/usr/bin",
        "OPENAI_API_KEY": "sk-outside",
        "AWS_SECRET": "of the shell",
        "HOME": "/h",
    }
    return LocalSettings.load(tmp_path, {**environment, "AGENTPLANE_DATA_DIR": str(tmp_path / "data")})


def test_the_node_learns_no_secret_but_its_own_key(settings: LocalSettings) -> None:
    told = settings.process_environment("node", STORES)
    secrets = {
        value for name, value in settings.variables.items() if name in read_env(EXAMPLE) and len(value) == 44
    }
    own = {settings.variables[key_variable("executor")], settings.variables[key_variable("k8s-executor")]}
    assert secrets & set(told.values()) == own
    assert not any(value in told.values() for value in STORES.values())
    assert "sk-outside" not in told.values()


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_accepts_every_caller_and_speaks_only_for_its_own_services(
    process: Process, settings: LocalSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.process_environment(process, STORES).items():
        monkeypatch.setenv(name, value)
    platform = PlatformSettings()
    assert set(platform.accepted_keys.values()) == set(CALLERS)
    others = {"control": "executor", "journal": "backend", "data-path": "backend", "node": "backend"}
    assert others[process] not in platform.service_keys
    assert platform.process == process


def test_the_command_s_environment_wins_but_does_not_leak(settings: LocalSettings) -> None:
    told = settings.process_environment("data-path", STORES)
    assert told["OPENAI_API_KEY"] == "sk-outside"
    assert "AWS_SECRET" not in told
    assert "AGENTPLANE_ADMIN_EMAIL" not in told


def test_the_port_base_moves_every_port(tmp_path: Path) -> None:
    assert LocalSettings.load(tmp_path, {"AGENTPLANE_PORT_BASE": "10000"}).port(8000) == 18000


@pytest.mark.parametrize("text", ["ten", "-1", "60000"])
def test_a_port_base_that_is_none_is_refused_with_a_sentence(text: str, tmp_path: Path) -> None:
    with pytest.raises(LocalModeError, match=f"from 0 to 50000, not '{text}'"):
        LocalSettings.load(tmp_path, {"AGENTPLANE_PORT_BASE": text}).port(8000)
