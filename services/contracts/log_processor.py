"""What log-processor offers: ingestion of agents' log lines, and their tail."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from services.chassis.client import Client
from services.chassis.contract import Contract, Page, Timestamp
from services.chassis.topic import Event, Topic


class LogLine(Contract):
    """One line of an instance; `(run_id, offset)` identifies it."""

    run_id: UUID
    offset: int = Field(ge=0, description="number of the line within the process's log")
    at: Timestamp
    stream: Literal["stdout", "stderr", "system"]
    line: str = Field(max_length=1024**2, description="the first 16 KiB are kept")
    truncated: bool = False


class LogBatch(Contract):
    """Lines of one process."""

    org_id: UUID
    agent_id: UUID
    instance_id: UUID
    run_id: UUID
    execution_id: UUID | None = None
    lines: list[LogLine] = Field(max_length=5_000)


class AgentLogLine(LogLine):
    """A stored line, with where it came from."""

    agent_id: UUID
    instance_id: UUID
    execution_id: UUID | None = None


class LogsData(Contract):
    """Lines that were just stored."""

    agent_id: UUID
    lines: list[AgentLogLine]


class LogsAppended(Event):
    """Lines of an agent were stored; best effort, for open pages and `logs -f`."""

    type: Literal["logs.appended"] = "logs.appended"
    data: LogsData


# subject_id is the agent.
LOG_LINES: Topic[LogsAppended] = Topic("logs.lines", LogsAppended, durable=False)


class LogProcessorClient(Client):
    """Speaks to log-processor."""

    service = "log-processor"

    async def ingest(self, batches: list[LogBatch]) -> None:
        """Store lines; repeating them changes nothing."""
        await self._call("POST", "/logs", None, body=batches)

    async def tail(
        self,
        org_id: UUID,
        agent_id: UUID,
        *,
        instance_id: UUID | None = None,
        execution_id: UUID | None = None,
        limit: int = 200,
        cursor: str | None = None,
        after: str | None = None,
    ) -> Page[AgentLogLine]:
        """
        The newest lines of an agent, oldest of them first.

        `cursor` pages back with the `next_cursor` of the page before. `after` follows: `start`, the
        `run_id:offset` of a line, or the `next_cursor` of the page before, which is then never null.
        """
        query = {
            "instance_id": instance_id,
            "execution_id": execution_id,
            "limit": limit,
            "cursor": cursor,
            "after": after,
        }
        return await self._call(
            "GET", f"/agents/{agent_id}/logs", Page[AgentLogLine], org=org_id, query=query
        )
