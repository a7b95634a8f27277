"""What a call can cost at most, and how its answer may be shortened to fit what remains: pure."""

import re
from dataclasses import dataclass
from typing import Any

import orjson

from services.agent_gateway.calls import Call
from services.agent_gateway.spending.amounts import Amount, Limits
from services.agent_gateway.spending.prompt_size import most_tokens
from services.contracts.spending import Price
from services.contracts.steps import StepKind

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
# An answer's limit where neither the agent nor the price list names one; nearly every model can do this.
USUAL_OUTPUT_TOKENS = 4_096
# Shorter answers are cut off in the middle of something; rather than that, a call waits or is refused.
COMFORTABLE_OUTPUT_TOKENS = 2_048
MEANINGFUL_OUTPUT_TOKENS = 128
UNLIMITED = 2**62
# These models refuse `max_tokens`; servers that only resemble OpenAI's often know no other.
_COMPLETION_TOKENS = re.compile(r"^(o\d|gpt-[5-9]|codex)")


@dataclass(slots=True)
class Ask:
    """What a call asks of budgets: something fixed, and so much for each token of the answer."""

    fixed: Amount
    nano_per_token: int = 0
    answers: int = 0
    longest: int = 0
    least: int = 0
    comfortable: int = 0
    field: str | None = None
    known_longest: bool = False

    def need(self, output_tokens: int) -> Amount:
        """The most it can come to with an answer of that length."""
        written = output_tokens * self.answers
        return self.fixed.plus(Amount(written * self.nano_per_token, written))

    def affordable(self, room: Limits) -> int:
        """The longest answer that fits into the room; negative when not even the question does."""
        if not room.cover(self.fixed):
            return -1
        most = UNLIMITED
        if room.nano is not None and self.nano_per_token * self.answers:
            most = (room.nano - self.fixed.nano) // (self.nano_per_token * self.answers)
        if room.tokens is not None and self.answers:
            most = min(most, (room.tokens - self.fixed.tokens) // self.answers)
        return most


def ask_of(call: Call, body: dict[str, Any], price: Price | None, *, scripted: bool) -> Ask:
    """What a call asks of budgets."""
    if call.kind is not StepKind.LLM:
        return Ask(Amount(steps=1, tool_calls=int(call.kind is StepKind.TOOL)))
    raw = call.request if call.sent is None and not call.changed else orjson.dumps(body)
    tokens = most_tokens(raw, body) if call.name in {CHAT, RESPONSES, MESSAGES} else len(raw)
    if call.beside:
        tokens += most_tokens(call.beside, {})
    if call.name.endswith("/count_tokens"):
        return Ask(Amount(steps=1))
    input_nano, output_nano = (0, 0) if price is None or scripted else (_dearest(price), price.output_nano)
    fixed = Amount(tokens * input_nano, tokens, 1)
    given, field = _given(call.name, body)
    if field is None:
        return Ask(fixed)
    answers = _count(body.get("n")) if call.name == CHAT else 1
    if given is not None:
        return Ask(fixed, output_nano, answers, longest=given, least=given, comfortable=given)
    longest = price.max_output_tokens if price is not None else None
    return Ask(
        fixed,
        output_nano,
        answers,
        longest=longest or USUAL_OUTPUT_TOKENS,
        least=MEANINGFUL_OUTPUT_TOKENS,
        comfortable=COMFORTABLE_OUTPUT_TOKENS,
        field=None if scripted else field,
        known_longest=longest is not None,
    )


def _given(path: str, body: dict[str, Any]) -> tuple[int | None, str | None]:
    """The answer's limit as the agent gave it, and the field for one; null where answers have no length."""
    names: tuple[str, ...]
    if path == CHAT:
        names = ("max_completion_tokens", "max_tokens")
        field = names[0] if _COMPLETION_TOKENS.match(str(body.get("model"))) else names[1]
    elif path in {RESPONSES, MESSAGES}:
        field = "max_output_tokens" if path == RESPONSES else "max_tokens"
        names = (field,)
    else:
        return None, None
    limits = [body[name] for name in names if type(body.get(name)) is int and body[name] >= 0]
    return (min(limits) if limits else None), field


def _dearest(price: Price) -> int:
    return max(price.input_nano, price.cache_write_nano or 0)


def _count(value: Any) -> int:
    return value if type(value) is int and 1 <= value <= 1000 else 1
