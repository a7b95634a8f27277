"""Events are found however a stream is cut, and conversations that a provider keeps are put together."""

from collections.abc import AsyncIterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.agent_gateway.dialects.chains import Chains, resolved
from services.agent_gateway.event_stream import batches_of
from services.agent_gateway.records import Holder
from services.chassis.ids import new_id


async def chunks_of(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@given(
    texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12), max_size=6),
    ends=st.lists(st.sampled_from([b"\n\n", b"\r\n\r\n"]), min_size=6, max_size=6),
    cuts=st.lists(st.integers(0, 120), max_size=10),
    rest=st.binary(max_size=4).filter(lambda rest: b"\n" not in rest and b"\r" not in rest),
)
async def test_events_are_whole_however_the_stream_is_cut(
    texts: list[str], ends: list[bytes], cuts: list[int], rest: bytes
) -> None:
    events = [b"data: " + text.encode() + end for text, end in zip(texts, ends, strict=False)]
    whole = b"".join(events) + rest
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    parts = [whole[a:b] for a, b in zip(edges, edges[1:], strict=False)]  # noqa: RUF007
    found = [block async for batch in batches_of(chunks_of(parts), 1000) for block in batch]
    assert found == [*events, *([rest] if rest else [])]


def holder(**values: Any) -> Holder:
    known: dict[str, Any] = {
        "org_id": new_id(),
        "agent_id": new_id(),
        "agent_name": "a",
        "instance_id": new_id(),
    }
    known |= {
        "run_id": new_id(),
        "execution_id": None,
        "attempt": 1,
        "provider_keys": {},
        "capture": "durable",
    }
    return Holder(**{**known, **values})


def said(name: str, text: str) -> dict[str, Any]:
    return {"id": name, "output": [{"type": "message", "role": "assistant", "content": text}]}


def test_a_conversation_is_resolved_through_its_responses() -> None:
    chains, whose = Chains(), holder()
    chains.remember(whose, {"input": "one"}, said("r1", "1"), at_provider=True)
    second = {"input": [{"role": "user", "content": "two"}], "previous_response_id": "r1"}
    chains.remember(whose, second, said("r2", "2"), at_provider=False)
    chain = chains.resolve(whose, "r2")
    assert chain is not None and not chain.at_provider
    assert [item["content"] for item in chain.items] == ["one", "1", "two", "2"]
    asked = resolved({"model": "m", "input": "three", "previous_response_id": "r2"}, chain)
    assert [item["content"] for item in asked["input"]][-1] == "three"
    assert "previous_response_id" not in asked
    assert chains.resolve(holder(org_id=whose.org_id), "r2") is None
    assert chains.resolve(whose, "unknown") is None


def test_what_is_forgotten_is_not_resolved_in_part() -> None:
    chains, whose = Chains(most_bytes=400), holder()
    for number in range(5):
        before = {"previous_response_id": f"r{number - 1}"} if number else {}
        chains.remember(whose, {"input": "x" * 60, **before}, said(f"r{number}", "y"), at_provider=True)
    assert chains.resolve(whose, "r4") is None
    # An answer that names itself as the one before it does not end the process.
    chains.remember(
        whose, {"input": "x", "previous_response_id": "loop"}, said("loop", "y"), at_provider=True
    )
    assert chains.resolve(whose, "loop") is None
