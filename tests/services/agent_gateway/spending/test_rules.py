"""What a policy says of models and tools, without a database."""

import time
from typing import Any

import pytest

from services.agent_gateway.spending.rules import CompiledPolicy, Decision, stricter
from services.chassis.errors import Invalid
from services.chassis.patterns import Pattern, glob
from services.contracts.spending import ArgumentRule, Policy, ToolRule
from services.contracts.steps import Effect


def compiled(**values: Any) -> CompiledPolicy:
    return CompiledPolicy(Policy(**values), "agent")


@pytest.mark.parametrize(
    ("globs", "model", "allowed"),
    [
        (None, "anything", True),
        ([], "anything", False),
        (["gpt-4o*"], "gpt-4o-mini", True),
        (["gpt-4o*"], "gpt-4.1", False),
        (["gpt-4o"], "gpt-4o-mini", False),
        (["scripted/*", "claude-?"], "claude-3", True),
        (["a.b"], "axb", False),
        (["*"], "line\nbreak", True),
    ],
)
def test_models(globs: list[str] | None, model: str, allowed: bool) -> None:
    assert compiled(models=globs).allows_model(model) is allowed


def test_the_first_rule_that_holds_decides() -> None:
    policy = compiled(
        tools=[
            ToolRule(tool="bank/pay", arguments=[ArgumentRule(path="/amount", matches="[0-9]{1,2}")]),
            ToolRule(tool="bank/*", action="approve"),
            ToolRule(tool="*/drop_*", action="deny"),
        ],
        approval_seconds=60,
    )
    assert policy.decide_tool("bank/pay", {"amount": 99}, Effect.WRITE).action == "allow"
    held = policy.decide_tool("bank/pay", {"amount": 100}, Effect.WRITE)
    assert (held.action, held.approval_seconds) == ("approve", 60)
    assert held.rule == "rule 'bank/*' (number 2) of the agent's policy"
    assert policy.decide_tool("db/drop_table", {}, None).action == "deny"
    assert policy.decide_tool("db/read", {}, None).action == "allow"


@pytest.mark.parametrize(
    ("path", "matches", "arguments", "holds"),
    [
        ("/a/b", "x+", {"a": {"b": "xxx"}}, True),
        ("/a/b", "x", {"a": {"b": "xxx"}}, False),
        ("/list/1", "two", {"list": ["one", "two"]}, True),
        ("/list/7", ".*", {"list": []}, False),
        ("/missing", ".*", {}, False),
        ("/missing", ".*", None, False),
        ("/flag", "true", {"flag": True}, True),
        ("/a~1b/c~0d", "1", {"a/b": {"c~d": 1}}, True),
        ("", r"\{\"a\":1\}", {"a": 1}, True),
        ("/o", r"(?s).*\"z\":2.*", {"o": {"z": 2, "a": "\n"}}, True),
    ],
)
def test_arguments(path: str, matches: str, arguments: Any, holds: bool) -> None:
    rule = ToolRule(arguments=[ArgumentRule(path=path, matches=matches)], action="deny")
    decided = compiled(tools=[rule]).decide_tool("s/t", arguments, None)
    assert (decided.action == "deny") is holds


@pytest.mark.parametrize(
    ("default", "irreversible", "effect", "action"),
    [
        ("allow", "approve", Effect.IRREVERSIBLE, "approve"),
        ("allow", "approve", Effect.WRITE, "allow"),
        ("allow", "approve", None, "allow"),
        ("deny", "allow", Effect.IRREVERSIBLE, "deny"),
        ("approve", "deny", Effect.IRREVERSIBLE, "deny"),
    ],
)
def test_irreversible_tools_never_get_more_than_others(
    default: Any, irreversible: Any, effect: Effect | None, action: str
) -> None:
    policy = compiled(tools_default=default, irreversible=irreversible)
    assert policy.decide_tool("s/t", {}, effect).action == action


def test_the_stricter_of_two_counts() -> None:
    allow, approve, deny = Decision("allow", "a"), Decision("approve", "b", 50), Decision("deny", "c")
    assert stricter(allow, approve) is stricter(approve, allow) is approve
    assert stricter(deny, approve) is deny
    assert stricter(Decision("approve", "d", 10), approve).approval_seconds == 10


@pytest.mark.parametrize("expression", ["(", "(?=a)", r"(a)\1", "a{1000}{1000}"])
def test_patterns_that_cannot_be_used_are_refused_with_the_reason(expression: str) -> None:
    with pytest.raises(Invalid, match="is not a regular expression of RE2"):
        Pattern(expression)


def test_no_pattern_takes_long() -> None:
    evil = compiled(tools=[ToolRule(arguments=[ArgumentRule(path="/x", matches="(a|a)*(a+)+b")])])
    started = time.monotonic()
    evil.decide_tool("s/t", {"x": "a" * 100_000}, None)
    glob("*a*a*a*a*a*a*a*b").covers("a" * 100_000)
    assert time.monotonic() - started < 2


def test_half_a_surrogate_pair_does_no_harm() -> None:
    assert Pattern(".*").covers("\ud800")
    assert glob("gpt*").covers("gpt\ud800")
