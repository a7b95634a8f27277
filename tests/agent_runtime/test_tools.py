"""The desk's decisions, and how tools stand what a model makes up."""

import json

import pytest

from agent_runtime.roles.support import make_support
from agent_runtime.tools import call_tool


@pytest.mark.parametrize(
    ("order", "reason", "cents"),
    [
        ("A-1042", "broken", 9390),  # in full, with shipping
        ("A-1042", "changed_mind", 8010),  # less 10 % for restocking
        ("A-1043", "changed_mind", 0),  # 36 days, 14 allowed
        ("A-1044", "changed_mind", 12950),  # 46 days, 60 allowed
        ("A-1048", "changed_mind", 3790),  # never arrived
    ],
)
def test_refunds_follow_the_policy(order: str, reason: str, cents: int) -> None:
    arguments = json.dumps({"order_id": order, "reason": reason})
    _, _, result = call_tool(make_support().tools, "compute_refund", arguments)
    assert result["refund_cents"] == cents
    assert result["eligible"] is bool(cents)


@pytest.mark.parametrize(
    ("tool", "arguments", "error"),
    [
        ("find_order", "{", "not JSON"),
        ("find_order", "[]", "must be an object"),
        ("find_order", "{}", "reference is missing"),
        ("find_order", '{"reference": 3}', "must be a string"),
        ("find_order", '{"reference": "A-9999"}', "no order A-9999"),
        ("compute_refund", '{"order_id": "A-1042", "reason": "moon"}', "must be one of"),
        ("fly", "{}", "there is no tool fly"),
    ],
)
def test_a_wrong_call_is_told_to_the_model(tool: str, arguments: str, error: str) -> None:
    _, _, result = call_tool(make_support().tools, tool, arguments)
    assert error in result["error"]
