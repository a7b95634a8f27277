"""Bodies are split at their messages and long texts, shared, and put together again byte for byte."""

import random
import string

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.agent_observability.codec import Codec
from services.agent_observability.outline import outline_of
from services.agent_observability.recipes import assembled, literal, operations
from services.agent_observability.splitting import Splitter
from services.chassis.ids import new_id

TEXT = random.Random(7)
ORG = new_id()


def text(size: int) -> str:
    return "".join(TEXT.choices(string.ascii_letters + string.digits, k=size))


def rebuilt(body: bytes) -> bytes:
    splitter = Splitter(ORG)
    return assembled(splitter.split(body), splitter.blobs.__getitem__)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=700),
    lambda children: st.lists(children, max_size=12) | st.dictionaries(st.text(max_size=8), children),
    max_leaves=30,
)
bodies = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("messages", "input", "tools", "system", "other"), json_values)
)


@given(bodies, st.sampled_from(["orjson", "indented"]))
@settings(max_examples=150, deadline=None)
def test_any_json_comes_back_as_it_was(document: object, style: str) -> None:
    body = orjson.dumps(document, option=orjson.OPT_INDENT_2 if style == "indented" else None) + b" " * 512
    assert rebuilt(body) == body


@given(st.binary(max_size=3_000), st.sampled_from([b"", b"{", b'{"messages":[', b'{"messages":[{"a":"']))
@settings(max_examples=150, deadline=None)
def test_anything_else_comes_back_too(rest: bytes, start: bytes) -> None:
    body = start + rest + b'x"}]{[' * 100
    assert rebuilt(body) == body


@pytest.mark.parametrize(
    "body", [b'{"messages":[' + b"[" * 300_000, b'"' * 100_000, b'{"messages":' * 50_000]
)
def test_a_hostile_body_is_kept(body: bytes) -> None:
    assert rebuilt(body) == body


def conversation(turns: int, size: int) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[turn % 2], "content": text(size)} for turn in range(turns)]


def test_elements_and_texts_are_found_where_they_are() -> None:
    long = text(600)
    body = orjson.dumps(
        {"model": "m", "messages": [{"content": "a"}, {"content": long}], "tools": [{"b": 1}]}
    )
    outline = outline_of(body)
    assert [body[start:end] for start, end in outline.texts] == [f'"{long}"'.encode()]
    assert [[body[start:end] for start, end in listed.elements] for listed in outline.lists] == [
        [b'{"content":"a"}', b'{"content":"%s"}' % long.encode()],
        [b'{"b":1}'],
    ]
    assert [listed.growing for listed in outline.lists] == [True, False]


@pytest.mark.parametrize(
    ("length", "end", "found"), [(509, "", 0), (510, "", 1), (509, '\\"', 1), (507, '\\"', 0)]
)
def test_a_long_text_begins_at_512_bytes_quotes_and_escapes_included(
    length: int, end: str, found: int
) -> None:
    body = f'{{"short": 1, "text": "{"a" * length}{end}", "more": []}}'.encode()
    assert len(outline_of(body).texts) == found


@pytest.mark.parametrize("size", [90, 300, 2_000])
def test_the_next_call_adds_only_what_is_new(size: int) -> None:
    messages = conversation(200, size)
    tools = [{"name": text(10), "description": text(300)} for _ in range(10)]
    bodies = [
        orjson.dumps({"model": "m", "messages": messages[:count], "tools": tools}) for count in (198, 200)
    ]
    before, after = Splitter(ORG), Splitter(ORG)
    before.split(bodies[0])
    recipe = after.split(bodies[1])
    new = {digest: blob for digest, blob in after.blobs.items() if digest not in before.blobs}
    # Two messages, and what stands for one full node on each of two levels.
    assert sum(map(len, new.values())) < 2 * (size + 60) + 16 * (128 + 20)
    assert len(recipe) < 1_500, "references grow with the logarithm of the conversation"


REQUESTS = (
    b'{"model":"m","messages":[%s],"tools":[{"a":1}]}',
    b'{"tools":[{"name":"x"}], "messages": [ %s ] , "stream":true}',
    b'{"input":[%s',
    b'{"messages":[%s]} and more',
)


@given(
    st.lists(st.binary(max_size=200) | st.just(b"word " * 150), max_size=40),
    st.sampled_from([b",", b", ", b" ,\n"]),
    st.sampled_from(REQUESTS),
    st.sampled_from(REQUESTS),
)
@settings(max_examples=150, deadline=None)
def test_what_is_known_of_the_last_request_changes_nothing(
    contents: list[bytes], comma: bytes, shape: bytes, next_shape: bytes
) -> None:
    messages = [b'{"content":%s}' % orjson.dumps(each.decode("latin-1")) for each in contents]
    before, after = Splitter(ORG), Splitter(ORG)
    before.split(shape % comma.join(messages[: len(messages) // 2]))
    body = next_shape % comma.join(messages)
    recipe = after.split(body, before.prefix)
    assert assembled(recipe, {**before.blobs, **after.blobs}.__getitem__) == body
    if after.prefix and len(body) >= 512:
        assert after.prefix.data == body[: len(after.prefix.data)]
        assert recipe == Splitter(ORG).split(body)


def test_a_known_request_is_not_hashed_again() -> None:
    messages = conversation(300, 900)
    before, after = Splitter(ORG), Splitter(ORG)
    before.split(orjson.dumps({"messages": messages[:298]}))
    after.split(orjson.dumps({"messages": messages}), before.prefix)
    assert len(after.blobs) <= 2 * 2 + 3


def test_references_grow_with_the_logarithm() -> None:
    sizes = []
    for turns in (1_000, 4_000):
        splitter = Splitter(ORG)
        sizes.append(len(splitter.split(orjson.dumps({"messages": conversation(turns, 200)}))))
    assert sizes[1] < sizes[0] + 16 * 20


def test_an_answer_and_its_repetition_meet() -> None:
    answer = text(3_000)
    splitter = Splitter(ORG)
    splitter.split(orjson.dumps({"choices": [{"message": {"role": "assistant", "content": answer}}]}))
    assert f'"{answer}"'.encode() in splitter.blobs.values()
    before = set(splitter.blobs)
    splitter.split(orjson.dumps({"messages": [{"role": "assistant", "content": answer}]}))
    assert set(splitter.blobs) == before


def test_organisations_share_nothing() -> None:
    body = orjson.dumps({"messages": conversation(4, 600)})
    one, other = Splitter(ORG), Splitter(new_id())
    one.split(body)
    other.split(body)
    assert not one.blobs.keys() & other.blobs.keys()


def test_a_recipe_in_disguise_is_a_text() -> None:
    disguised = literal(b"not this") * 100
    body = b'{"messages":[{"content":"' + disguised + b'"}]}'
    assert rebuilt(body) == body
    assert [kind for kind, _, _ in operations(literal(b"x" * 300))] == [0]


def test_what_does_not_compress_does_not_grow() -> None:
    codec, noise = Codec(), random.Random(1).randbytes(10_000)
    assert len(codec.pack(noise)) == len(noise) + 1
    assert codec.unpack(codec.pack(noise)) == noise
    assert codec.unpack(codec.pack(b"")) == b""


def test_a_usual_wrapper_costs_little() -> None:
    codec = Codec()
    answer = {
        "id": "chatcmpl-Cx1", "object": "chat.completion", "created": 1790000000, "model": "gpt-4o-mini",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "No"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 2, "total_tokens": 14},
    }  # fmt: skip
    assert len(codec.pack(orjson.dumps(answer))) < 100
