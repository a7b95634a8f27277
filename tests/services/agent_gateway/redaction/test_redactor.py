"""What is replaced before it is stored: secrets by their form, and what a policy names."""

import re
import time
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.agent_gateway.dialects.chat import Chat
from services.agent_gateway.dialects.messages import Messages
from services.agent_gateway.dialects.responses import Responses
from services.agent_gateway.redaction.redactor import Redactor, mapped
from services.agent_gateway.redaction.streamed import redacted_stream
from services.chassis.ids import new_id
from services.chassis.patterns import Pattern

ORG = new_id()
REDACTOR = Redactor("a secret of the installation")
TAG = re.compile(r"\[redacted:[a-z_]+:[a-p]{16}\]")

# Put together here, so that no scanner takes this file for a leak.
SECRETS = {
    "provider_key": "sk-" + "proj-A1b2C3d4E5f6G7h8I9j0K1",
    "platform_key": "ap-vk-" + "A1b2C3d4E5f6G7h8I9j0K1",
    "aws_key": "AKIA" + "ABCDEFGHIJKLMNOP",
    "git_token": "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1L2M3N4O5P6Q7R8",
    "service_token": "xoxb-" + "1234567890-abcdef",
    "jwt": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0" + ".c2lnbmF0dXJl",
    "bearer_token": "Q1w2E3r4T5y6U7i8O9p0A1s2",
    "url_password": "hunter22",
    "aws_secret": "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
    "private_key": "MIIEvQIBADANBgkqhkiG9w0BAQ",
}
FRAMES = {
    "bearer_token": "Authorization: Bearer {}",
    "url_password": "postgres://app:{}@db.example.com/shop",
    "aws_secret": "aws_secret_access_key = {}",
    "private_key": "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
}


@pytest.mark.parametrize("rule", SECRETS)
def test_each_rule_replaces_its_secret_and_nothing_else(rule: str) -> None:
    framed = FRAMES.get(rule, "it is {}, keep it").format(SECRETS[rule])
    body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": framed}]})
    clean = REDACTOR.body(ORG, body)
    assert clean.rules == (rule,) and SECRETS[rule].encode() not in clean.body
    said = orjson.loads(clean.body)["messages"][0]["content"]
    assert TAG.search(said) and f"[redacted:{rule}:" in said
    # A tag stands for itself: what was redacted once stays as it is.
    assert REDACTOR.body(ORG, clean.body).body == clean.body
    assert REDACTOR.body(ORG, body) == clean
    assert REDACTOR.body(new_id(), body).body != clean.body


@pytest.mark.parametrize(
    "text",
    [
        "The task-manager's sk- prefix, and a bearer of good news.",
        "See https://example.com:8080/a@b and mail me at me@example.com.",
        "eyJ is how base64 of an object begins; AKIA is not a key.",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "git clone ssh://git@example.com/repo.git",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    body = orjson.dumps({"content": text})
    assert REDACTOR.body(ORG, body) == (body, ())


@given(text=st.text(max_size=60), before=st.text(max_size=20))
def test_text_around_a_secret_keeps_its_bytes(text: str, before: str) -> None:
    secret = SECRETS["provider_key"]
    body = orjson.dumps([before + " ", f"{secret} ", text])
    clean = REDACTOR.body(ORG, body)
    first, middle, last = orjson.loads(clean.body)
    assert (first, last) == (before + " ", text) and secret not in middle


def test_a_policys_patterns_see_strings_as_their_author_does() -> None:
    patterns = [Pattern(r"Müller\s+\d+"), Pattern("(?i)internal")]
    body = b'{"a": "Frau M\\u00fcller\\n42 \\"INTERNAL\\"", "internal": 3}'
    clean = REDACTOR.body(ORG, body, patterns)
    document = orjson.loads(clean.body)
    assert clean.rules == ("policy",)
    assert TAG.fullmatch(document["a"].removeprefix("Frau ").partition(' "')[0])
    assert "INTERNAL" not in document["a"] and "internal" not in document
    assert REDACTOR.body(ORG, body, [Pattern("nothing")]).body == body
    assert REDACTOR.body(ORG, clean.body, patterns).body == clean.body
    assert REDACTOR.body(ORG, b"no JSON: internal", patterns).rules == ("policy",)


def chat_events(pieces: list[str]) -> list[bytes]:
    documents = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    return [*(b"data: " + orjson.dumps(each) + b"\n\n" for each in documents), b"data: [DONE]\n\n"]


def message_events(pieces: list[str]) -> list[bytes]:
    documents: list[dict[str, Any]] = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
        for piece in pieces
    ]
    documents.append({"type": "message_stop"})
    return [
        f"event: {each['type']}\n".encode() + b"data: " + orjson.dumps(each) + b"\n\n" for each in documents
    ]


def response_events(pieces: list[str]) -> list[bytes]:
    kind = "response.output_text.delta"
    documents: list[dict[str, Any]] = [
        {"type": kind, "item_id": "m", "output_index": 0, "content_index": 0, "delta": piece}
        for piece in pieces
    ]
    output = [{"type": "message", "content": [{"type": "output_text", "text": "".join(pieces)}]}]
    documents.append({"type": "response.completed", "response": {"output": output}})
    return [
        f"event: {each['type']}\n".encode() + b"data: " + orjson.dumps(each) + b"\n\n" for each in documents
    ]


def said_in(events: list[bytes]) -> str:
    text = ""
    for event in events:
        data = event.partition(b"data: ")[2].strip()
        document = orjson.loads(data) if data != b"[DONE]" else {}
        for choice in document.get("choices", []):
            text += choice["delta"]["content"]
        delta = document.get("delta", "")
        text += delta["text"] if isinstance(delta, dict) else delta
    return text


@pytest.mark.parametrize(
    ("dialect", "told"), [(Chat(), chat_events), (Messages(), message_events), (Responses(), response_events)]
)
@given(cuts=st.lists(st.integers(0, 80), max_size=8), after=st.text(max_size=10))
def test_a_secret_in_several_events_is_found(dialect: Any, told: Any, cuts: list[int], after: str) -> None:
    secret = SECRETS["provider_key"]
    text = f"Your key is {secret} and order 4711-{after}"
    edges = sorted({0, *(min(cut, len(text)) for cut in cuts), len(text)})
    events = told([text[a:b] for a, b in pairwise(edges)])
    reader = dialect.reader(False)
    for event in events:
        reader.take(event)
    clean, rules = redacted_stream(REDACTOR, ORG, events, reader.outcome, [Pattern(r"\b\d{4}\b")])
    assert rules == {"provider_key", "policy"} and len(clean) == len(events)
    assert secret.encode() not in b"".join(clean)
    assert TAG.sub("#", said_in(clean)) == f"Your key is # and order #-{after}"


TEXTS = st.text(alphabet="abx1 \n", max_size=4)
DOCUMENTS = st.recursive(
    TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


@given(
    DOCUMENTS, st.sampled_from([r"\ba\b", r"\Ba", "^x", "b$", r"\Aa1", "[^a]b", r"a\sb", "(?i)A1", "(?s)a.b"])
)
def test_a_pattern_finds_in_a_document_what_it_finds_in_each_string(document: Any, expression: str) -> None:
    pattern, texts = Pattern(expression), list[str]()

    def noted(text: str) -> str:
        texts.append(text)
        return text

    mapped(document, noted)
    clean = REDACTOR.body(ORG, orjson.dumps(document), [pattern])
    assert bool(clean.rules) == any(pattern.within(text) for text in texts)


def test_events_without_a_secret_keep_their_bytes() -> None:
    secret = SECRETS["provider_key"]
    events = [b'data:  {"choices":[{"index":0,"delta":{"content":"a"}}] }\r\n\r\n', *chat_events([secret])]
    reader = Chat().reader(False)
    for event in events:
        reader.take(event)
    clean, rules = redacted_stream(REDACTOR, ORG, events, reader.outcome, [])
    assert rules == {"provider_key"} and clean[0] == events[0] and clean[2] == events[2]
    reader = Chat().reader(False)
    assert redacted_stream(REDACTOR, ORG, events[:1], reader.outcome, []) == (events[:1], set())


@pytest.mark.parametrize(
    "evil",
    [
        b"sk-" * 300_000,
        b"eyJaaaaaaaaa." * 80_000,
        b"-----BEGIN PRIVATE KEY-----" * 30_000,
        b"-----BEGIN PRIVATE KEY-----" + b"A " * 400_000,
        b"http://a:" * 100_000,
        b"aws_secret_access_key" + b"=" * 900_000,
    ],
)
def test_hostile_bodies_take_linear_time(evil: bytes) -> None:
    # About 0.1 s each for a megabyte; a rule that is not linear takes minutes.
    started = time.monotonic()
    REDACTOR.body(ORG, evil, [Pattern("(x+x+)+y")])
    assert time.monotonic() - started < 10
