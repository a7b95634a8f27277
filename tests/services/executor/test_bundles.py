"""Agents' own code: bundles that build and run, and bundles that are refused."""

import asyncio
import gzip
import hashlib
import io
import json
import os
import tarfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from services.chassis.errors import NotFound
from services.executor import bundle as bundles
from services.executor.bundle import BundleRefused, entry_command, unpack
from services.executor.dependencies import BuildFailed
from tests.services.executor.workbench import Bench, bench, order

STORE: dict[str, bytes] = {}


def pack(files: dict[str, str]) -> str:
    """A bundle of text files; its digest."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return put(buffer.getvalue())


def put(data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    STORE[digest] = data
    return digest


async def fetch(_: UUID, digest: str) -> bytes:
    if digest not in STORE:
        raise NotFound(f"no bundle {digest}")
    return STORE[digest]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def node() -> AsyncIterator[Bench]:
    async with bench(fetch) as made:
        yield made


async def test_a_python_bundle_gets_its_requirements(node: Bench) -> None:
    digest = pack(
        {
            "requirements.txt": "iniconfig==2.0.0\n",
            "agent.py": "import iniconfig, json, sys\n"
            "print(json.dumps([iniconfig.__name__, sys.prefix != sys.base_prefix]))",
        }
    )
    workload, ended = await node.run(order(spec={"bundle": digest}), 120)
    assert ended.code == 0, node.printed(workload)
    assert node.driver.output(workload).value == ["iniconfig", True]


async def test_a_node_bundle_gets_its_packages(node: Bench) -> None:
    digest = pack(
        {
            "package.json": json.dumps(
                {"name": "a", "main": "start.js", "dependencies": {"isarray": "2.0.5"}}
            ),
            "start.js": "console.log(JSON.stringify(require('isarray')([])))",
        }
    )
    workload, ended = await node.run(order(spec={"bundle": digest}), 180)
    assert ended.code == 0, node.printed(workload)
    assert node.driver.output(workload).value is True


async def test_nothing_of_a_bundle_runs_while_it_is_built(node: Bench) -> None:
    package = {"name": "a", "main": "start.js", "dependencies": {"isarray": "2.0.5"}}
    scripts = {"preinstall": "exit 7", "postinstall": "exit 7"}
    digest = pack({"package.json": json.dumps({**package, "scripts": scripts}), "start.js": "console.log(1)"})
    workload, ended = await node.run(order(spec={"bundle": digest}), 180)
    assert ended.code == 0, node.printed(workload)


async def test_a_bundle_without_requirements_runs_in_a_private_copy(node: Bench) -> None:
    digest = pack(
        {
            "main.py": "open('left', 'a').write('x')\n"
            "print(open('left').read() == 'x', open('data.txt').read())",
            "data.txt": "d",
        }
    )
    for _ in range(2):
        workload, ended = await node.run(order(spec={"bundle": digest}))
        assert ended.code == 0 and node.printed(workload) == "True d"


async def test_one_environment_is_built_once_for_all_who_ask(node: Bench) -> None:
    requirements = "pluggy==1.5.0\n"
    codes = [
        pack({"requirements.txt": requirements, "agent.py": f"import pluggy; print({n})"}) for n in range(3)
    ]
    started = time.monotonic()
    finished = await asyncio.gather(*(node.run(order(spec={"bundle": code}), 120) for code in codes))
    assert [ended.code for _, ended in finished] == [0, 0, 0]
    assert time.monotonic() - started < 120
    built = list((node.directory / "environments").glob("*.ready"))
    assert len([1 for path in built if list(path.with_suffix("").glob("lib/*/site-packages/pluggy"))]) == 1


async def test_what_a_build_made_cannot_be_changed_by_agents(node: Bench) -> None:
    digest = pack(
        {
            "requirements.txt": "iniconfig==2.0.0\n",
            "agent.py": "import iniconfig\n"
            "try: open(iniconfig.__file__, 'a'); print('changed')\n"
            "except OSError: print('kept')",
        }
    )
    workload, _ = await node.run(order(spec={"bundle": digest}), 120)
    assert node.printed(workload) == "kept" or os.geteuid() != 0


async def test_a_failed_build_says_why(node: Bench) -> None:
    digest = pack({"requirements.txt": "no-such-package-of-ours==1.0\n", "agent.py": "pass"})
    workload = node.workloads.create(node.driver.plan(order(spec={"bundle": digest})))
    with pytest.raises(BuildFailed, match="no-such-package-of-ours"):
        await node.driver.prepare(workload)


async def test_a_fetched_bundle_must_be_what_was_asked_for(node: Bench) -> None:
    digest = "0" * 64
    STORE[digest] = STORE[pack({"main.py": ""})]
    workload = node.workloads.create(node.driver.plan(order(spec={"bundle": digest})))
    with pytest.raises(BundleRefused, match="sha256"):
        await node.driver.prepare(workload)


def member(name: str, kind: bytes = tarfile.REGTYPE, **more: object) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.type = kind
        for field, value in more.items():
            setattr(info, field, value)
        archive.addfile(info, io.BytesIO(b"x" * info.size))
    return buffer.getvalue()


def header(name: str, size: int) -> bytes:
    """An archive that promises more than it holds."""
    info = tarfile.TarInfo(name)
    info.size = size
    return gzip.compress(info.tobuf())


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: b"not an archive", "readable"),
        (lambda: gzip.compress(b"neither"), "readable"),
        (lambda: member("../escape", size=1), "outside"),
        (lambda: member("/etc/cron.d/x", size=1), "outside"),
        (lambda: member("a/../../b", size=1), "outside"),
        (lambda: member("link", tarfile.SYMTYPE, linkname="/etc/passwd"), "outside"),
        (lambda: member("a/link", tarfile.SYMTYPE, linkname="../../secret"), "outside"),
        (lambda: member("link", tarfile.SYMTYPE, linkname="."), "no file of the bundle"),
        (lambda: member("link", tarfile.SYMTYPE, linkname="nowhere"), "no file of the bundle"),
        (lambda: member("hard", tarfile.LNKTYPE, linkname="agent.py"), "neither a file"),
        (lambda: member("null", tarfile.CHRTYPE, devmajor=1, devminor=3), "neither a file"),
        (lambda: member("pipe", tarfile.FIFOTYPE), "neither a file"),
        (lambda: header("big", bundles.UNPACKED_BYTES + 1), "bytes unpacked"),
    ],
)
def test_bad_bundles_are_refused_and_leave_nothing(
    make: Callable[[], bytes], why: str, tmp_path: Path
) -> None:
    with pytest.raises(BundleRefused, match=why):
        unpack(make(), tmp_path / "code")
    assert not list(tmp_path.iterdir())


def test_a_bundle_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="at most"):
        unpack(b"\0" * (bundles.PACKED_BYTES + 1), tmp_path / "code")


def test_modes_are_made_harmless(tmp_path: Path) -> None:
    unpack(member("run.sh", size=1, mode=0o6777), tmp_path / "code")
    assert (tmp_path / "code" / "run.sh").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"agent.py": ""}, ["python", "agent.py"]),
        ({"main.py": "", "package.json": "{}"}, ["python", "main.py"]),
        ({"package.json": '{"main": "src/a.js"}'}, ["node", "src/a.js"]),
        ({"package.json": "{}"}, ["node", "index.js"]),
    ],
)
def test_finds_how_a_bundle_is_started(files: dict[str, str], command: list[str], tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert entry_command(tmp_path) == command


def test_a_bundle_without_an_entry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="give a command"):
        entry_command(tmp_path)


def test_a_link_within_a_bundle_becomes_what_it_names(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("bin/latest")
        link.type, link.linkname = tarfile.SYMTYPE, "../agent.py"
        archive.addfile(link)
        program = tarfile.TarInfo("agent.py")
        program.size = 5
        archive.addfile(program, io.BytesIO(b"pass\n"))
    unpack(buffer.getvalue(), tmp_path / "code")
    assert not (tmp_path / "code" / "bin" / "latest").is_symlink()
    assert (tmp_path / "code" / "bin" / "latest").read_text() == "pass\n"


async def test_what_is_built_from_a_bundle_s_own_files_is_nobody_else_s(node: Bench) -> None:
    answers = []
    for version in ("2.0.0", "1.1.1"):
        digest = pack(
            {
                "requirements.txt": "-r more.txt\n",
                "more.txt": f"iniconfig=={version}\n",
                "agent.py": "import importlib.metadata as m, json; print(json.dumps(m.version('iniconfig')))",
            }
        )
        workload, _ = await node.run(order(spec={"bundle": digest}), 120)
        answers.append(node.driver.output(workload).value)
    assert answers == ["2.0.0", "1.1.1"]
