"""The command as a person runs it, against a backend that listens."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from services.chassis.testing import TestPlatform
from services.embedded.testing import WorkerStores
from services.secrets_manager.settings import SecretsSettings
from tests.backend.conftest import BESIDE, PASSWORD, Tenant, backend_settings, make_tenant
from tests.platform import MASTER_KEY, platform_of
from tests.waiting import PATIENCE_SECONDS

COMMAND = Path(sys.executable).parent / "agentplane"


@dataclass
class Result:
    """What a command said and how it ended."""

    code: int
    out: str
    error: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.error
        return json.loads(self.out)


@dataclass
class Person:
    """Somebody with a home directory and the command."""

    home: Path
    url: str
    tenant: Tenant
    environment: dict[str, str] = field(default_factory=dict)

    async def types(self, *arguments: str, given: str = "") -> Result:
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home)}
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            *arguments,
            env={**kept, "AGENTPLANE_URL": self.url, **self.environment},
            cwd=self.home,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await asyncio.wait_for(process.communicate(given.encode()), PATIENCE_SECONDS)
        return Result(process.returncode or 0, out.decode(), error.decode())

    async def logs_in(self) -> None:
        options = ("--email", self.tenant.email, "--password-file", "-")
        done = await self.types("login", *options, given=f"{PASSWORD}\n")
        assert done.code == 0, done.error


@pytest.fixture(scope="module")
async def platform(stores: WorkerStores) -> AsyncIterator[TestPlatform]:
    overrides = [SecretsSettings(master_key=SecretStr(MASTER_KEY)), backend_settings()]
    names = ["backend", *BESIDE]
    async with platform_of(names, stores.environment(), listen=True, overrides=overrides) as platform:
        yield platform


@pytest.fixture
async def stranger(platform: TestPlatform, tmp_path: Path) -> Person:
    """Nobody knows this person yet, but there is an account."""
    return Person(tmp_path, platform.url("backend"), await make_tenant(platform))


@pytest.fixture
async def person(stranger: Person) -> Person:
    """Somebody with an API key."""
    stranger.environment["AGENTPLANE_API_KEY"] = stranger.tenant.key
    return stranger
