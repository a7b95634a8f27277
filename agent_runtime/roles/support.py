"""
The support desk of a small shop: finds the order, reads the refund policy, computes the refund, and drafts
the reply.

Its data is `data/shop.json`; the desk's calendar stands at the file's `today`, so that the same question has
the same answer on every day. Without an input it takes the oldest ticket that is open.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from agent_runtime.roles.assistant import question_in
from agent_runtime.roles.data_files import load
from agent_runtime.tools import Role, Tool, ToolRefused, latest

ORDER_NUMBER = re.compile(r"\b(?:A-?)?(\d{4})\b", re.IGNORECASE)
REASONS = ("changed_mind", "broken", "damaged", "wrong_item")
NOT_THE_CUSTOMERS_FAULT = frozenset(REASONS) - {"changed_mind"}

PROMPT = """\
You work at the support desk of a small shop. Handle the customer's message to its end, with the tools:
find the order, read the refund policy of what was bought, compute the refund, and draft the reply.
Promise only what the tools returned. Then tell your colleague in two sentences what you did."""


class SupportDesk:
    """The tools of the desk on the shop's data."""

    def __init__(self, shop: dict[str, Any]) -> None:
        self._orders: dict[str, dict[str, Any]] = {order["order_id"]: order for order in shop["orders"]}
        self._policies: dict[str, dict[str, Any]] = shop["policies"]
        self._tickets: list[dict[str, Any]] = shop["tickets"]
        self._today = date.fromisoformat(shop["today"])

    def question(self, given: Any) -> str:
        """The customer's message; with no input that of the oldest open ticket."""
        if given is None or given == {} or given == "":
            ticket = min((each for each in self._tickets if each["open"]), key=lambda each: each["received"])
            return f"{ticket['message']} (ticket {ticket['ticket_id']})"
        if isinstance(given, dict) and isinstance(given.get("order_id"), str):
            return f"{question_in(given)} (order {given['order_id']})"
        return question_in(given)

    def find_order(self, reference: str) -> dict[str, Any]:
        """The order that is named in the reference."""
        order = self._order(reference)
        delivered = order["delivered_on"]
        days = (self._today - date.fromisoformat(delivered)).days if delivered else None
        return {**order, "days_since_delivery": days}

    def read_policy(self, category: str) -> dict[str, Any]:
        """The refund policy of a category of goods."""
        if category not in self._policies:
            raise ToolRefused(f"there is no category {category}; there are {', '.join(self._policies)}")
        return {"category": category, **self._policies[category]}

    def compute_refund(self, order_id: str, reason: str) -> dict[str, Any]:
        """What the customer gets back, and why."""
        order = self._order(order_id)
        policy = self._policies[order["category"]]
        paid = order["price_cents"] + order["shipping_cents"]
        answer = {"order_id": order["order_id"], "reason": reason, "currency": "EUR"}
        if reason in NOT_THE_CUSTOMERS_FAULT or order["delivered_on"] is None:
            why = "the shop made the mistake, so goods and shipping are refunded in full"
            return {**answer, "eligible": True, "refund_cents": paid, "because": why}
        days = (self._today - date.fromisoformat(order["delivered_on"])).days
        window = policy["window_days"]
        if days > window:
            why = f"delivered {days} days ago; {order['category']} can be returned for {window} days"
            return {**answer, "eligible": False, "refund_cents": 0, "because": why}
        fee = order["price_cents"] * policy["restocking_percent"] // 100
        why = (
            f"returned within {window} days; the price less {policy['restocking_percent']} %"
            " for restocking, without shipping"
        )
        return {**answer, "eligible": True, "refund_cents": order["price_cents"] - fee, "because": why}

    def draft_reply(self, order_id: str, refund_cents: int, because: str) -> dict[str, Any]:
        """The reply to the customer, in the words of the house."""
        order = self._order(order_id)
        money = f"{refund_cents / 100:.2f} EUR"
        decision = (
            f"We refund {money} to the card you paid with; it arrives within three working days."
            if refund_cents
            else "We cannot refund this order."
        )
        reply = (
            f"Dear {order['customer']},\n\nthank you for writing about your {order['item']}"
            f" (order {order['order_id']}). {decision} The reason: {because}.\n\nYours, the support desk"
        )
        return {"order_id": order["order_id"], "to": order["email"], "reply": reply}

    def summary(self, done: list[dict[str, Any]]) -> dict[str, Any]:
        """What came of it, beside the model's words."""
        refund, reply = latest(done, "compute_refund"), latest(done, "draft_reply")
        return {
            "order_id": refund.get("order_id") or latest(done, "find_order").get("order_id"),
            "refund": {key: refund[key] for key in ("eligible", "refund_cents", "currency", "because")}
            if refund
            else None,
            "reply": reply.get("reply"),
        }

    def _order(self, reference: str) -> dict[str, Any]:
        found = ORDER_NUMBER.search(reference)
        if found is None:
            raise ToolRefused("no order number in the reference; they look like A-1042")
        order = self._orders.get(f"A-{found.group(1)}")
        if order is None:
            raise ToolRefused(f"there is no order A-{found.group(1)}")
        return order


def make_support() -> Role:
    """The support desk."""
    desk = SupportDesk(load("shop"))
    order_id = {"type": "string", "description": "order number, as A-1042"}
    tools = (
        Tool(
            "find_order",
            "Find an order: item, category, price, and how long ago it was delivered.",
            {"reference": {"type": "string", "description": "an order number, or words that contain one"}},
            desk.find_order,
        ),
        Tool(
            "read_refund_policy",
            "The shop's refund policy for a category of goods.",
            {"category": {"type": "string", "description": "the order's category"}},
            desk.read_policy,
        ),
        Tool(
            "compute_refund",
            "Compute what the customer gets back under the policy.",
            {"order_id": order_id, "reason": {"type": "string", "enum": list(REASONS)}},
            desk.compute_refund,
        ),
        Tool(
            "draft_reply",
            "Draft the reply to the customer.",
            {
                "order_id": order_id,
                "refund_cents": {"type": "integer", "description": "as computed"},
                "because": {"type": "string", "description": "the reason, as computed"},
            },
            desk.draft_reply,
        ),
    )
    return Role("support", PROMPT, tools, desk.question, desk.summary)
