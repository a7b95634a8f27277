"""What an agent is told when a budget does not let its call pass."""

from collections.abc import Sequence

from services.agent_gateway.refusals import Refused
from services.agent_gateway.spending.amounts import NAMES
from services.agent_gateway.spending.purses import Purse
from services.agent_gateway.spending.worst_case import Ask
from services.contracts.agents import Cause


def used_up(ask: Ask, purses: Sequence[Purse]) -> Refused:
    """What is left cannot pay for the call."""
    return Refused(403, "budget_exceeded", _sentence(ask, purses), Cause.BUDGET_EXCEEDED)


def held(ask: Ask, purses: Sequence[Purse]) -> Refused:
    """What is left would pay for it, but calls under way hold it; it may be asked again."""
    message = f"Calls under way hold what is left. {_sentence(ask, purses)}"
    return Refused(429, "budget_held", message, Cause.BUDGET_EXCEEDED)


def unpriced(model: str) -> Refused:
    """Nobody knows what the call would cost."""
    message = (
        f"The model {model[:200]!r} has no price, and a cost budget counts for this call. A platform"
        " administrator can set its price, or a policy can say `unpriced: allow`."
    )
    return Refused(403, "model_unpriced", message, Cause.POLICY_DENIED, "model")


def _sentence(ask: Ask, purses: Sequence[Purse]) -> str:
    need = ask.need(ask.least)
    for purse in purses:
        for name, limit, left, room, value in zip(
            NAMES, purse.limits, purse.left, purse.room, need, strict=True
        ):
            if limit is None or left is None or room is None or value <= min(left, room):
                continue
            whose = f"The {purse.row.scope}'s limit of {_shown(name, limit)}"
            rest = _shown(name, max(0, left))
            return f"{whose} leaves {rest}, and this call may come to {_shown(name, value)}."
    return "A budget does not leave enough for this call."


def _shown(name: str, value: int) -> str:
    if name != "cost":
        return f"{value:,} {name if value != 1 else name.removesuffix('s')}"
    return "$" + (f"{value / 1e9:.6f}".rstrip("0").rstrip(".") or "0")
