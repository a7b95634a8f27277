"""The bounded queue: states that a later one replaces go first, then the page is too slow."""

from uuid import UUID

from services.chassis.ids import new_id
from services.contracts.live import Channel, FeedEntry
from services.websocket_gateway.frames import Frame, FrameQueue, entry_frame


def frame(seq: int, kind: str, subject: UUID, channel: Channel = "agents") -> Frame:
    event = {
        "id": new_id(),
        "type": kind,
        "subject_id": subject,
        "occurred_at": "2026-11-22T12:00:00Z",
        "actor": "test",
        "data": {},
    }
    return entry_frame(channel, FeedEntry.of(event, seq))


def drained(queue: FrameQueue) -> list[int]:
    found = []
    while (each := queue.take()) is not None:
        found.append(each.seq)
    return found


def test_only_a_full_queue_leaves_states_out() -> None:
    one, other = new_id(), new_id()
    queue = FrameQueue(4, 1024**2)
    for seq, subject in enumerate([one, other, one, other], 1):
        assert queue.offer(frame(seq, "agent.state_changed", subject))
    assert queue.offer(frame(5, "agent.state_changed", one))
    assert drained(queue) == [4, 5]


def test_what_nothing_replaces_is_never_left_out() -> None:
    agent = new_id()
    queue = FrameQueue(3, 1024**2)
    kinds = ["agent.deployed", "agent.changed", "agent.state_changed", "agent.state_changed"]
    assert all(queue.offer(frame(seq, kind, agent)) for seq, kind in enumerate(kinds, 1))
    assert drained(queue) == [1, 2, 4]
    for seq in (1, 2, 3):
        assert queue.offer(frame(seq, "execution.changed", agent, "executions"))
    assert not queue.offer(frame(4, "execution.changed", agent, "executions"))


def test_bytes_are_bounded_too() -> None:
    queue = FrameQueue(100, 1000)
    assert queue.offer(Frame("x" * 600))
    assert not queue.offer(Frame("x" * 600))
