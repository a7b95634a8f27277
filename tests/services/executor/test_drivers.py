"""What both drivers promise alike, tried on each: processes, and containers where an engine answers."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.contracts.agents import Cause
from services.executor.exits import cause_of
from services.executor.logs import Cursor
from services.executor.shim_process import ShimProcess
from tests.services.executor.containers import WHY_NOT, container_bench
from tests.services.executor.workbench import PYTHON_SERVER, Bench, bench, key, order, running
from tests.waiting import until


@asynccontextmanager
async def gateway() -> AsyncIterator[str]:
    """A server in the gateway's place."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest_asyncio.fixture(loop_scope="session", scope="module", params=["process", "docker"])
async def node(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with gateway() as way:
        if request.param == "process":
            async with bench(gateway=way) as made:
                yield made
        elif WHY_NOT:
            pytest.skip(WHY_NOT)
        else:
            async with container_bench(gateway=way) as made:
                yield made


def python(code: str, **more: Any) -> Any:
    return order("python3", "-c", code, **more)


async def get(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n".encode())
    said = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return said.decode().partition("\r\n\r\n")[2]


async def served(node: Bench, **more: Any) -> Any:
    """A service that answers."""
    workload = await node.launch(python(PYTHON_SERVER, mode="service", **more))
    port = workload.record.port
    for _ in range(300):
        try:
            if "Healthy" in await get(port, "/healthz"):
                return workload
        except OSError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError(node.printed(workload))


async def end(node: Bench, workload: Any) -> Any:
    node.driver.kill(workload, Cause.AGENT_SHUTDOWN)
    await asyncio.wait_for(node.driver.wait(workload), 20)
    return node.driver.observe(workload).ended


async def test_a_job_gets_its_input_and_gives_output_and_code(node: Bench) -> None:
    code = (
        "import json, os, sys\n"
        "given = json.load(sys.stdin)\n"
        "again = json.load(open(os.environ['AGENTPLANE_INPUT_FILE']))\n"
        "print('thinking', file=sys.stderr)\n"
        "json.dump({'twice': [given, again]}, open('output.json', 'w'))\n"
        "raise SystemExit(75)"
    )
    workload, ended = await node.run(python(code, input={"question": "é?"}))
    assert (ended.code, ended.signal, ended.reason) == (75, None, "exited")
    assert node.driver.output(workload).value == {"twice": [{"question": "é?"}] * 2}
    assert node.lines(workload) == ["stderr:thinking"]
    assert not running(node.driver.observe(workload))
    assert ended.ended_at >= ended.started_at > 1_700_000_000_000


async def test_a_large_input_that_nobody_reads_holds_up_nothing(node: Bench) -> None:
    _, ended = await node.run(order("true", input="x" * 3_000_000))
    assert ended.code == 0


async def test_a_signal_is_told_from_an_exit_code(node: Bench) -> None:
    _, ended = await node.run(python("import os; os.kill(os.getpid(), 11)"))
    assert (ended.code, ended.signal, cause_of(ended)) == (None, signal.SIGSEGV, Cause.EXIT_NONZERO)
    _, ended = await node.run(python("raise SystemExit(255)"))
    assert (ended.code, ended.signal) == (255, None)


async def test_a_command_that_does_not_exist_is_a_failed_start(node: Bench) -> None:
    _, ended = await node.run(order("no-such-program"))
    assert cause_of(ended) is Cause.START_FAILED
    assert "no-such-program" in ended.message


async def test_every_line_is_kept_once_and_in_order(node: Bench) -> None:
    code = (
        "import sys\n"
        "for number in range(3000): print('line', number)\n"
        "print('x' * 50_000, flush=True)\n"
        "print('no line end', end='')"
    )
    workload, _ = await node.run(python(code))
    lines, cursor = node.driver.logs(workload, Cursor(0), 5_000)
    assert [line.offset for line in lines] == list(range(len(lines)))
    assert [line.line for line in lines[:3000]] == [f"line {number}" for number in range(3000)]
    assert "".join(line.line for line in lines[3000:-1]) == "x" * 50_000
    assert lines[-1].line == "no line end"
    assert node.driver.logs(workload, cursor, 10) == ([], cursor)


async def test_a_memory_bomb_is_oom_killed(node: Bench) -> None:
    code = "import time\nkept = []\nwhile True: kept.append(bytearray(b'x' * 5_000_000)); time.sleep(0.005)"
    _, ended = await node.run(python(code, spec={"memory_limit_bytes": 64 * 1024**2}))
    assert ended.oom
    assert cause_of(ended) is Cause.OOM_KILLED


async def test_cpu_is_limited(node: Bench) -> None:
    code = (
        "import time\nbegun = time.time()\nwhile time.time() < begun + 3: pass\n"
        "print(time.process_time(), flush=True)"
    )
    workload, _ = await node.run(python(code, spec={"cpu_limit": 0.25}))
    assert float(json.loads(str(node.driver.output(workload).value))) < 1.8


async def test_a_service_reaches_the_gateway_and_is_reached(node: Bench) -> None:
    workload = await served(node)
    assert await get(workload.record.port, "/through") == "hello"
    answers = await asyncio.gather(*(get(workload.record.port, "/through") for _ in range(40)))
    assert answers == ["hello"] * 40
    await end(node, workload)


async def test_the_gateway_is_there_before_the_agent(node: Bench) -> None:
    code = 'exec 3<>"/dev/tcp/127.0.0.1/${AGENTPLANE_URL##*:}" && echo reached'
    for _ in range(5):
        workload, ended = await node.run(order("bash", "-c", code))
        assert (ended.code, node.printed(workload)) == (0, "reached")


async def test_usage_is_measured(node: Bench) -> None:
    workload = await node.launch(python("x = bytearray(b'1' * 30_000_000)\nwhile True: pass"))
    await until(
        lambda: (
            (used := node.driver.usage(workload))
            and used.cpu_seconds > 0.1
            and used.memory_bytes > 30_000_000
        )
    )
    ended = await end(node, workload)
    assert node.driver.usage(workload) is None
    assert (ended.signal, cause_of(ended)) == (signal.SIGKILL, Cause.AGENT_SHUTDOWN)


async def test_stop_lets_the_agent_finish(node: Bench) -> None:
    code = (
        "import signal, time, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('draining', flush=True), sys.exit(3)))\n"
        "print('up', flush=True)\ntime.sleep(60)"
    )
    workload = await node.launch(python(code))
    await until(lambda: "up" in node.printed(workload))
    assert node.driver.stop(workload, Cause.AGENT_SHUTDOWN, 10)
    await asyncio.wait_for(node.driver.wait(workload), 15)
    ended = node.driver.observe(workload).ended
    assert ended is not None and (ended.code, cause_of(ended)) == (3, Cause.AGENT_SHUTDOWN)
    assert "draining" in node.printed(workload)
    assert not node.driver.stop(workload, Cause.AGENT_SHUTDOWN, 10)


async def test_an_agent_that_ignores_stop_is_killed(node: Bench) -> None:
    code = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\n"
        "time.sleep(60)"
    )
    workload = await node.launch(python(code))
    await until(lambda: "up" in node.printed(workload))
    node.driver.stop(workload, Cause.AGENT_SHUTDOWN, 0.3)
    await asyncio.wait_for(node.driver.wait(workload), 15)
    ended = node.driver.observe(workload).ended
    assert ended is not None and ended.signal == signal.SIGKILL


async def test_a_job_ends_at_its_deadline(node: Bench) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=1.5)
    _, ended = await node.run(order("sleep", "60", deadline_at=deadline))
    assert cause_of(ended) is Cause.DEADLINE_EXCEEDED


async def test_starting_twice_runs_once(node: Bench) -> None:
    workload = await node.launch(order("sh", "-c", "echo once; sleep 0.5"))
    await node.driver.start(workload, key())
    await asyncio.wait_for(node.driver.wait(workload), 15)
    await node.driver.start(workload, key())
    assert not running(node.driver.observe(workload))
    assert node.printed(workload).count("once") == 1


async def test_an_agent_killed_from_outside_is_seen_and_the_next_incarnation_runs(node: Bench) -> None:
    first = await served(node)
    pid = node.driver.observe(first).pid
    assert pid is not None
    begun = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    await asyncio.wait_for(node.driver.wait(first), 15)
    assert time.monotonic() - begun < 5
    ended = node.driver.observe(first).ended
    assert ended is not None and (ended.signal, cause_of(ended)) == (signal.SIGKILL, Cause.EXIT_NONZERO)
    second = await served(node, instance_id=first.order.instance_id, incarnation=2)
    await end(node, second)


async def test_the_token_is_replaced_under_the_agents_eyes(node: Bench) -> None:
    code = (
        "import os, time\npath = os.environ['AGENTPLANE_TOKEN_FILE']\n"
        "print(open(path).read(), flush=True)\n"
        "while open(path).read() != 'second': time.sleep(0.02)\n"
        "try: open(path, 'w')\nexcept OSError: print('read only')\n"
    )
    workload = await node.launch(python(code))
    await until(lambda: "ap_token_test" in node.printed(workload))
    node.driver.write_token(workload, "second")
    await asyncio.wait_for(node.driver.wait(workload), 15)
    assert "read only" in node.printed(workload) or os.geteuid() != 0


ADOPTER = """
import asyncio, sys
from pathlib import Path
from services.chassis.errors import NotFound
from services.executor.docker_driver import DockerDriver
from services.executor.process_driver import ProcessDriver
from services.executor.settings import ExecutorSettings
from services.executor.workload import Workloads
from tests.services.executor.workbench import key, no_bundles, order

async def main(kind, directory, way, document):
    from services.contracts.executor import Order
    driver = {"docker": DockerDriver, "process": ProcessDriver}[kind](
        Path(directory), ExecutorSettings(), way, no_bundles)
    await driver.probe()
    workload = Workloads(Path(directory) / "instances").create(
        driver.plan(Order.model_validate_json(document)))
    await driver.prepare(workload)
    await driver.start(workload, key())
    print("started", flush=True)
    await asyncio.sleep(600)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_what_a_killed_executor_started_is_found_again(node: Bench) -> None:
    """Its pid, its way in and out, its log and its exit code."""
    kind = node.driver.facts.name
    wanted = python(PYTHON_SERVER, mode="service", spec={"docker_image": node.image} if node.image else {})
    arguments = [kind, str(node.directory), node.driver._gateway, wanted.model_dump_json()]
    executor = subprocess.Popen([sys.executable, "-c", ADOPTER, *arguments], stdout=subprocess.PIPE)
    assert executor.stdout is not None
    assert await asyncio.to_thread(executor.stdout.readline) == b"started\n"
    executor.kill()
    executor.wait()
    workload = next(one for one in node.workloads.load() if one.order.instance_id == wanted.instance_id)
    node.driver.reserve(workload.record)
    before = node.driver.observe(workload)
    assert running(before) and before.pid is not None
    await node.driver.start(workload, key())
    await until(lambda: "serving" in node.printed(workload))
    assert await get(workload.record.port, "/through") == "hello"
    ended = await end(node, workload)
    assert node.printed(workload).count("serving") == 1
    assert node.driver.observe(workload).ended == ended
    assert ShimProcess(workload.place).pid() is None
