"""Bundles: kept by digest, refused when unsafe, fetched by the executor only."""

import gzip
import hashlib
import io
import tarfile

import httpx
import pytest

from services.chassis.errors import Forbidden, NotFound
from services.chassis.testing import TestPlatform
from services.contracts.backend import BackendClient
from tests.backend.conftest import Tenant, make_tenant


def packed(files: dict[str, bytes], *, link: tuple[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        if link:
            member = tarfile.TarInfo(link[0])
            member.type, member.linkname = tarfile.SYMTYPE, link[1]
            archive.addfile(member)
    return buffer.getvalue()


async def test_a_bundle_is_kept_under_its_digest_and_reaches_the_executor(
    platform: TestPlatform, tenant: Tenant, api: httpx.AsyncClient
) -> None:
    content = packed({"./main.py": b"print(1)", "./requirements.txt": b""})
    digest = hashlib.sha256(content).hexdigest()
    for _ in range(2):
        answer = await api.post("/bundles", content=content)
        assert answer.status_code == 201, answer.text
        assert (answer.json()["digest"], answer.json()["kind"]) == (digest, "python")
    assert (await api.get(f"/bundles/{digest}")).content == content
    executor = platform.client(BackendClient, "executor")
    assert await executor.bundle(tenant.org_id, digest) == content
    with pytest.raises(Forbidden):
        await platform.client(BackendClient, "cli").bundle(tenant.org_id, digest)
    other = await make_tenant(platform)
    with pytest.raises(NotFound):
        await executor.bundle(other.org_id, digest)
    agent = await api.post(
        "/agents", json={"name": "packed", "bundle": digest, "command": ["python", "main.py"]}
    )
    assert agent.status_code == 201, agent.text


async def test_internal_routes_need_a_service_key(tenant: Tenant) -> None:
    async with httpx.AsyncClient(base_url=tenant.url) as client:
        path = f"/internal/bundles/{'0' * 64}"
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers={"Authorization": f"Bearer {tenant.key}"})).status_code == 401


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not gzip",
        gzip.compress(b"not tar" * 1000),
        packed({}),
        packed({"../escape.py": b""}),
        packed({"/etc/passwd": b""}),
        packed({"main.py": b""}, link=("out", "../../etc/passwd")),
        packed({"main.py": b""}, link=("out", "/etc/passwd")),
        packed({"main.py": b"x" * 5000})[:-20],
    ],
    # Archives carry the time they were made at, and a test's name must be the same in every worker.
    ids=["empty", "text", "no-tar", "no-files", "above", "absolute", "link-above", "link-absolute", "cut"],
)
async def test_unsafe_or_broken_bundles_are_refused(api: httpx.AsyncClient, content: bytes) -> None:
    answer = await api.post("/bundles", content=content)
    assert answer.status_code == 422, answer.text


async def test_what_is_too_large_is_refused(api: httpx.AsyncClient) -> None:
    bomb = packed({f"{number}.bin": bytes(50 * 1024 * 1024) for number in range(5)})
    assert (await api.post("/bundles", content=bomb)).status_code == 413
    assert (await api.post("/bundles", content=bytes(21 * 1024 * 1024))).status_code == 413
    assert (await api.post("/agents", content=bytes(2 * 1024 * 1024))).status_code == 413
