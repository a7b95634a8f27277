"""Prefixes of conversations are kept while they are gone on with, and within their bytes."""

from services.agent_observability.conversations import IDLE_SECONDS, Conversations, Key, Prefix, key_of
from services.chassis.ids import new_id

PREFIX = Prefix(b"x" * 1_000, 10, b"before", ((b"entry",),))


def keys(count: int) -> list[Key]:
    return [key_of(new_id(), b"{}") for _ in range(count)]


def test_a_conversation_that_rests_is_forgotten_and_one_that_goes_on_is_not() -> None:
    kept = Conversations()
    resting, going_on = keys(2)
    kept.put(resting, PREFIX, now=0.0)
    kept.put(going_on, PREFIX, now=0.0)
    kept.put(going_on, PREFIX, now=IDLE_SECONDS - 1)
    kept.forget_idle(IDLE_SECONDS)
    assert kept.get(resting) is None
    assert kept.get(going_on) is PREFIX
    kept.forget_idle(2 * IDLE_SECONDS)
    assert kept.get(going_on) is None


def test_small_prefixes_count_with_what_holds_them() -> None:
    tiny = Prefix(b"{", 1, b"", ())
    kept, made = Conversations(most_bytes=10 * tiny.bytes_held), keys(11)
    for now, key in enumerate(made):
        kept.put(key, tiny, float(now))
    assert [kept.get(key) for key in made] == [None, *[tiny] * 10]
