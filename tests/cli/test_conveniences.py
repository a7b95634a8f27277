"""Contexts, completion, YAML and watching: what makes the command pleasant to live with."""

import asyncio
import os
import subprocess

import pytest
import yaml

from tests.cli.conftest import COMMAND, Person


async def test_yaml_says_the_same_as_json(stranger: Person) -> None:
    await stranger.logs_in()
    as_json = (await stranger.types("whoami", "-o", "json")).json
    assert yaml.safe_load((await stranger.types("whoami", "-o", "yaml")).out) == as_json
    refused = await stranger.types("whoami", "-o", "xml")
    assert refused.code == 2 and "yaml" in refused.error


async def test_contexts_name_addresses(stranger: Person) -> None:
    stranger.environment = {"AGENTPLANE_URL": ""}
    assert (await stranger.types("contexts", "add", "home", f"{stranger.url}/")).code == 0
    await stranger.logs_in()
    assert (await stranger.types("contexts", "add", "away", "http://127.0.0.1:9")).code == 0
    assert (await stranger.types("--api-key", "x", "whoami")).code == 6
    assert (await stranger.types("--context", "home", "whoami")).code == 0
    assert (await stranger.types("contexts", "use", "home")).code == 0
    assert (await stranger.types("whoami")).code == 0
    listed = (await stranger.types("contexts", "list", "-o", "json")).json
    assert [(each["name"], each["in_use"], each["logged_in"]) for each in listed] == [
        ("away", False, False),
        ("home", True, True),
    ]
    unknown = await stranger.types("contexts", "use", "nowhere")
    assert unknown.code == 3 and "away, home" in unknown.error
    assert (await stranger.types("contexts", "remove", "home")).code == 0
    assert (await stranger.types("contexts", "add", "bad", "ftp://x")).code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_each_shell_gets_a_script_for_the_command(stranger: Person, shell: str) -> None:
    done = await stranger.types("completion", shell)
    assert done.code == 0 and "_AGENTPLANE_COMPLETE" in done.out and "agentplane" in done.out


def test_bash_completes_commands() -> None:
    asked = {"_AGENTPLANE_COMPLETE": "complete_bash", "COMP_WORDS": "agentplane exec", "COMP_CWORD": "1"}
    done = subprocess.run([COMMAND], env={**os.environ, **asked}, capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["executions"]


async def test_watching_shows_it_again_until_it_is_interrupted(stranger: Person) -> None:
    await stranger.logs_in()
    process = await asyncio.create_subprocess_exec(
        COMMAND, "agents", "list", "-o", "json", "--watch",
        env={**os.environ, "XDG_CONFIG_HOME": str(stranger.home), "AGENTPLANE_URL": stranger.url},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    seen = b""
    async with asyncio.timeout(30):
        while seen.count(b"[]") < 2:
            seen += await process.stdout.read(100)
    process.terminate()
    await process.wait()
