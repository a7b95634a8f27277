"""The part of a statement by which it tells of the executions it changed, without a transaction around it."""

from uuid import UUID

from services.chassis.ids import new_id
from services.chassis.tracing import current_traceparent
from services.contracts.executions import EXECUTION_EVENTS

_RFC3339 = 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'


def told(rows: str, ids: int, actor: str = "'agent-gateway'") -> str:
    """
    A part of a statement that emits an event for each of its `rows` as it stands then.

    It takes two parameters, `$ids` and the one after it: those of `telling`.
    """
    return f"""told AS (
    INSERT INTO outbox (event_id, org_id, subject, subject_id, payload)
    SELECT event_id, org_id, '{EXECUTION_EVENTS.subject}', id, jsonb_build_object(
        'id', event_id, 'type', 'execution.changed', 'version', 1, 'seq', 0, 'org_id', org_id,
        'subject_id', id, 'occurred_at', to_char(clock_timestamp() AT TIME ZONE 'UTC', '{_RFC3339}'),
        'cause', cause, 'actor', told_by, 'traceparent', ${ids + 1}::text,
        'data', jsonb_build_object(
            'agent_id', agent_id, 'agent_name', agent_name, 'status', status, 'cause', cause,
            'attempt', attempt, 'event_seq', event_seq, 'steps', steps, 'cost_nano', cost_nano))
    FROM (SELECT *, {actor} AS told_by, (${ids}::uuid[])[row_number() OVER ()] AS event_id FROM {rows}) AS c
)"""  # noqa: S608 - put together from constants


def telling(most: int) -> tuple[list[UUID], str | None]:
    """The parameters of `told`: ids for at most so many events, and the trace that they belong to."""
    return [new_id() for _ in range(most)], current_traceparent()
