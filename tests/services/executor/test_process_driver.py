"""The process driver with real processes: exit codes, output, logs, limits, stopping."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from services.chassis.errors import IsolationUnavailable, RuntimeUnavailable
from services.chassis.ids import new_id
from services.contracts.agents import Cause, IsolationLevel
from services.executor import interpreters, logs
from services.executor.exits import cause_of
from services.executor.log_file import LogWriter
from services.executor.logs import Cursor
from services.executor.plan import Plan
from services.executor.processes import tree
from services.executor.shim_process import ShimProcess, readable
from tests.services.executor.workbench import Bench, bench, key, order, running
from tests.waiting import until


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def node() -> AsyncIterator[Bench]:
    async with bench() as made:
        yield made


@pytest.mark.parametrize("code", [0, 1, 75, 255])
async def test_keeps_the_exit_code(node: Bench, code: int) -> None:
    _, ended = await node.python(f"raise SystemExit({code})")
    assert (ended.code, ended.signal, ended.reason) == (code, None, "exited")
    assert cause_of(ended) == (None if code == 0 else Cause.EXIT_NONZERO)


async def test_tells_a_signal_from_an_exit_code(node: Bench) -> None:
    _, ended = await node.python("import os; os.kill(os.getpid(), 11)")
    assert (ended.code, ended.signal) == (None, signal.SIGSEGV)


async def test_a_command_that_does_not_exist_is_a_failed_start(node: Bench) -> None:
    workload, ended = await node.run(order("no-such-program"))
    assert ended.message == "no-such-program could not be started: no such program"
    assert cause_of(ended) is Cause.START_FAILED
    assert "no-such-program" in node.printed(workload)


async def test_gives_the_input_and_takes_the_last_json(node: Bench) -> None:
    workload, ended = await node.python(
        "import json, os, sys\n"
        "given = json.load(sys.stdin)\n"
        "again = json.load(open(os.environ['AGENTPLANE_INPUT_FILE']))\n"
        "print('thinking'); print(json.dumps({'no': 1})); print(json.dumps({'twice': [given, again]}))",
        input={"question": "é?"},
    )
    assert ended.code == 0
    assert node.driver.output(workload).value == {"twice": [{"question": "é?"}] * 2}


async def test_takes_a_long_line_whole(node: Bench) -> None:
    workload, _ = await node.python("import json; print(json.dumps(['x' * 100_000, 1]))")
    assert node.driver.output(workload).value == ["x" * 100_000, 1]
    assert any(line.truncated for line in node.driver.logs(workload, Cursor(0), 100)[0])


async def test_output_file_wins_over_what_was_printed(node: Bench) -> None:
    workload, _ = await node.python("open('output.json', 'w').write('{\"from\": \"file\"}'); print('{}')")
    assert node.driver.output(workload).value == {"from": "file"}


async def test_a_link_is_not_read_as_output(node: Bench) -> None:
    workload, _ = await node.python("import os; os.symlink('/etc/hostname', 'output.json')")
    assert not node.driver.output(workload).found


async def test_logs_keep_streams_and_numbers(node: Bench) -> None:
    workload, _ = await node.python(
        "import sys; print('a'); print('b', file=sys.stderr, flush=True); print('c', end='')"
    )
    assert sorted(node.lines(workload)) == ["stderr:b", "stdout:a", "stdout:c"]
    lines, cursor = node.driver.logs(workload, Cursor(0), 2)
    assert [line.offset for line in lines] == [0, 1]
    assert [line.offset for line in node.driver.logs(workload, cursor, 10)[0]] == [2]


async def test_gives_the_environment_of_the_contract(node: Bench) -> None:
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    wanted = order("python", "-c", code, spec={"env_vars": {"MINE": "1", "AGENTPLANE_URL": "http://evil"}})
    workload, _ = await node.run(wanted)
    seen = node.driver.output(workload).value
    assert seen["MINE"] == "1"
    assert seen["AGENTPLANE_INSTANCE_ID"] == str(wanted.run_id)
    assert seen["AGENTPLANE_EXECUTION_ID"] == str(wanted.execution_id)
    assert seen["OPENAI_API_KEY"] == seen["ANTHROPIC_API_KEY"] == "ap_vk_test"
    assert seen["AGENTPLANE_URL"].startswith("http://127.0.0.1:")
    assert seen["OPENAI_BASE_URL"] == seen["AGENTPLANE_URL"] + "/v1"
    assert not [name for name in seen if name.startswith(("AGENTPLANE_SERVICE_KEY", "DATABASE", "PIP_"))]


async def test_the_token_file_can_be_read_and_is_replaced(node: Bench) -> None:
    code = (
        "import os, sys, time\n"
        "path = os.environ['AGENTPLANE_TOKEN_FILE']\n"
        "print(open(path).read(), flush=True)\n"
        "while open(path).read() != 'second': time.sleep(0.02)\n"
        "try: open(path, 'w')\n"
        "except OSError: print('read only')\n"
    )
    workload = await node.launch(order("python", "-c", code))
    await until(lambda: "ap_token_test" in node.printed(workload))
    node.driver.write_token(workload, "second")
    await asyncio.wait_for(node.driver.wait(workload), 10)
    assert "read only" in node.printed(workload) or os.geteuid() != 0


async def test_a_memory_bomb_is_oom_killed(node: Bench) -> None:
    code = "import time\nkept = []\nwhile True: kept.append(bytearray(b'x' * 5_000_000)); time.sleep(0.005)"
    _, ended = await node.run(order("python", "-c", code, spec={"memory_limit_bytes": 64 * 1024**2}))
    assert cause_of(ended) is Cause.OOM_KILLED
    assert ended.oom


async def test_stop_lets_the_agent_finish(node: Bench) -> None:
    code = (
        "import signal, time, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('draining', flush=True), sys.exit(3)))\n"
        "print('up', flush=True)\ntime.sleep(60)"
    )
    workload = await node.launch(order("python", "-c", code))
    await until(lambda: "up" in node.printed(workload))
    assert node.driver.stop(workload, Cause.AGENT_SHUTDOWN, 10)
    await asyncio.wait_for(node.driver.wait(workload), 10)
    ended = node.driver.observe(workload).ended
    assert ended is not None and (ended.code, cause_of(ended)) == (3, Cause.AGENT_SHUTDOWN)
    assert "draining" in node.printed(workload)


async def test_an_agent_that_ignores_stop_is_killed(node: Bench) -> None:
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('up', flush=True)\ntime.sleep(60)"
    )
    workload = await node.launch(order("python", "-c", code))
    await until(lambda: "up" in node.printed(workload))
    node.driver.stop(workload, Cause.AGENT_SHUTDOWN, 0.3)
    await asyncio.wait_for(node.driver.wait(workload), 10)
    ended = node.driver.observe(workload).ended
    assert ended is not None and ended.signal == signal.SIGKILL


async def test_nothing_an_agent_started_outlives_it(node: Bench) -> None:
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0: time.sleep(300)\n"
        "    os._exit(0)\n"
        "print('started', flush=True); time.sleep(0.2)"
    )
    workload = await node.launch(order("python", "-c", code))
    await until(lambda: "started" in node.printed(workload))
    shim = ShimProcess(workload.place).pid()
    assert shim is not None
    family = tree(shim)
    await asyncio.wait_for(node.driver.wait(workload), 10)
    assert not [pid for pid in family if Path(f"/proc/{pid}").exists()]


async def test_starting_twice_runs_once(node: Bench) -> None:
    workload = await node.launch(
        order("python", "-c", "print('once', flush=True); import time; time.sleep(0.3)")
    )
    await node.driver.start(workload, key())
    await asyncio.wait_for(node.driver.wait(workload), 10)
    await node.driver.start(workload, key())
    assert not running(node.driver.observe(workload))
    assert node.printed(workload).count("once") == 1


async def test_ten_shims_at_once_run_one_agent(node: Bench) -> None:
    """Even an executor that forgot what it did cannot start an incarnation twice."""
    workload = await node.launch(order("sh", "-c", "echo once; sleep 0.3"))
    shim = ShimProcess(workload.place)
    plan = (workload.place / "plan").read_bytes()
    again = [shim.spawn(Plan.load(plan)) for _ in range(10)]
    await asyncio.gather(*(readable(one) for one in again))
    await asyncio.wait_for(node.driver.wait(workload), 10)
    assert node.printed(workload).count("once") == 1


async def test_a_job_ends_at_its_deadline(node: Bench) -> None:
    _, ended = await node.run(order("sleep", "60", deadline_at=datetime.now(UTC) + timedelta(seconds=0.5)))
    assert cause_of(ended) is Cause.DEADLINE_EXCEEDED


async def test_usage_is_measured(node: Bench) -> None:
    workload = await node.launch(order("python", "-c", "x = bytearray(b'1' * 30_000_000)\nwhile True: pass"))
    await until(
        lambda: (
            (usage := node.driver.usage(workload))
            and usage.cpu_seconds > 0.1
            and usage.memory_bytes > 30_000_000
        )
    )
    node.driver.kill(workload, Cause.AGENT_SHUTDOWN)
    await asyncio.wait_for(node.driver.wait(workload), 10)
    assert node.driver.usage(workload) is None


async def test_foreign_images_are_refused_with_what_to_do(node: Bench) -> None:
    with pytest.raises(RuntimeUnavailable, match="agent-runtime:latest"):
        node.driver.plan(order(spec={"docker_image": "python:3.12"}))


async def test_a_level_that_is_switched_off_can_be_required_in_vain() -> None:
    weakest = IsolationLevel.USER if os.geteuid() == 0 else IsolationLevel.NONE
    async with bench(isolation=weakest) as node:
        with pytest.raises(IsolationUnavailable, match="namespaces is required"):
            node.driver.plan(order("true", spec={"isolation": IsolationLevel.NAMESPACES}))


async def test_limits_nobody_enforces_can_be_refused() -> None:
    async with bench(cgroups=False, watchdog=False) as node:
        assert node.driver.facts.enforcement["memory"] == "advisory"
        node.driver.plan(order("true"))
        with pytest.raises(IsolationUnavailable, match="memory and cpu"):
            node.driver.plan(order("true", spec={"require_enforcement": True}))


async def test_the_watchdog_limits_memory_processes_and_time() -> None:
    async with bench(cgroups=False, max_processes=20) as node:
        assert set(node.driver.facts.enforcement.values()) == {"watchdog"}
        bomb = (
            "import time\nkept = []\nwhile True: kept.append(bytearray(b'x' * 5_000_000)); time.sleep(0.02)"
        )
        _, ended = await node.run(order("python", "-c", bomb, spec={"memory_limit_bytes": 64 * 1024**2}))
        assert cause_of(ended) is Cause.OOM_KILLED
        _, ended = await node.run(order("sh", "-c", "for i in $(seq 40); do sleep 30 & done; wait"))
        assert ended.reason == "processes"
        spin = "import time\nend = time.time() + 3\nwhile time.time() < end: pass\nprint(time.process_time())"
        workload, _ = await node.run(order("python", "-c", spin, spec={"cpu_limit": 0.25}))
        assert float(json.loads(str(node.driver.output(workload).value))) < 2.4


@pytest.mark.parametrize("renewed", [True, False])
async def test_a_singleton_without_a_lease_is_paused_and_killed(node: Bench, renewed: bool) -> None:
    """By its shim, whether or not an executor lives."""
    lease = node.directory / "lease"

    def renew() -> None:
        lease.write_text(f"{time.clock_gettime(time.CLOCK_BOOTTIME)} 1.0")

    renew()
    code = "import time\nwhile True: print(time.time(), flush=True); time.sleep(0.05)"
    workload = await node.launch(order("python", "-c", code, mode="service", spec={"singleton": True}))
    await until(lambda: len(node.lines(workload)) > 5)

    def said(seconds: float) -> bool:
        return time.time() - float(node.lines(workload)[-1].partition(":")[2]) < seconds

    await until(lambda: not said(0.8))
    if renewed:
        renew()
        await until(lambda: said(0.3))
        node.driver.kill(workload, "killed")
    await asyncio.wait_for(node.driver.wait(workload), 15)
    ended = node.driver.observe(workload).ended
    assert ended is not None
    assert cause_of(ended) is (Cause.AGENT_SHUTDOWN if renewed else Cause.NODE_LOST)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs agents as others")
def test_an_interpreter_nobody_else_can_enter_is_copied(node: Bench) -> None:
    own = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    copied = interpreters._copied_python(node.directory, 1_900_000_009, own)
    assert copied is not None
    assert copied.prefix.is_relative_to(node.directory)
    assert copied.version == sys.version.split()[0]


async def test_a_long_log_is_cut_at_its_beginning_and_read_on_across_segments(tmp_path: Path) -> None:
    writer = LogWriter(str(tmp_path), segment_bytes=1_000, segments=3)
    for number in range(300):
        writer.write(b"o", b"line %d\n" % number)
    run_id = new_id()
    lines, cursor = logs.read(tmp_path, run_id, Cursor(0), 1_000)
    seen = list(lines)
    while lines:
        lines, cursor = logs.read(tmp_path, run_id, cursor, 1_000)
        seen += lines
    assert [line.line for line in seen] == [f"line {line.offset}" for line in seen]
    assert seen[0].offset > 0 and seen[-1].offset == 299
    assert [line.line for line in logs.tail(tmp_path, 2)] == ["line 298", "line 299"]
    writer.write(b"e", b"more\n")
    assert [line.line for line in logs.read(tmp_path, run_id, cursor, 10)[0]] == ["more"]
    assert [line.offset for line in logs.read(tmp_path, run_id, Cursor(299), 10)[0]] == [299, 300]
