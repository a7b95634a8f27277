"""From how a process ended to why: the causes of the agent contract."""

from services.contracts.agents import Cause, InstanceExit
from services.executor.shim_process import Ended

# Reasons that are no causes themselves; every other is the cause that the executor ordered the end for.
OF_THE_SHIM = {
    "start_failed": Cause.START_FAILED,
    "memory": Cause.OOM_KILLED,
    "processes": Cause.EXIT_NONZERO,
    "deadline": Cause.DEADLINE_EXCEEDED,
    "fenced": Cause.NODE_LOST,
    "lost": Cause.INTERNAL,
    "stopped": Cause.AGENT_SHUTDOWN,
    "killed": Cause.AGENT_SHUTDOWN,
    "platform_stopped": Cause.CONTROL_PLANE_SHUTDOWN,  # said by `agentplane down`
}
RETRYABLE_CODE = 75


def cause_of(ended: Ended) -> Cause | None:
    """Why it ended; None when it came to its own good end."""
    if ended.oom and ended.reason in {"exited", "memory"} and ended.code != 0:
        return Cause.OOM_KILLED
    if ended.reason == "exited":
        return None if ended.code == 0 else Cause.EXIT_NONZERO
    if ended.reason in OF_THE_SHIM:
        return OF_THE_SHIM[ended.reason]
    try:
        return Cause(ended.reason)
    except ValueError:
        return Cause.INTERNAL


def exit_of(ended: Ended, last_lines: list[str], failed_probe: str | None) -> InstanceExit:
    """The end as the platform tells it."""
    return InstanceExit(
        code=ended.code,
        signal=ended.signal,
        cause=cause_of(ended),
        oom_killed=ended.oom,
        failed_probe=failed_probe,
        message=ended.message or _sentence(ended),
        last_log=last_lines,
    )


def _sentence(ended: Ended) -> str:
    how = f"signal {ended.signal}" if ended.signal is not None else f"exit code {ended.code}"
    return f"ended by itself with {how}" if ended.reason == "exited" else f"{ended.reason}: {how}"
