"""
What a client of the stateless revision is told while a person decides: to come again, with this state.

Such a call is answered `input_required` (specification 2026-07-28, basic/patterns/mrtr) at once, with no
question to the client, for it is not the agent that is asked, and with a `requestState` to come back with.
Whoever comes back is held longer each time: the official clients give up after ten rounds, and ten are to
last longer than any approval. The state says nothing but which round it is; what the call waits for is found
by the call itself, so that a lost or made-up state changes nothing but how long it is held.
"""

from dataclasses import dataclass

from services.agent_gateway.tools.protocol import INVALID_PARAMS, Asked, Json, RpcError
from services.contracts.tools import Approval

APPROVAL_META = "dev.agentplane/approval"
STATE_PREFIX = "agentplane-approval."
FIRST_SECONDS, FACTOR, MOST_SECONDS = 5.0, 4, 86_400.0
MOST_ROUNDS = 1000
ASKS_AGAIN = ("requestState", "inputResponses")


class Held(Exception):
    """The call waits for a person, and its client is to ask again."""

    def __init__(self, approval: Approval) -> None:
        self.approval = approval
        super().__init__(f"approval {approval.id} is pending")


@dataclass(frozen=True)
class Round:
    """How often a client has come back for the same call."""

    number: int = 0

    @property
    def seconds(self) -> float:
        """How long it is held this time."""
        if self.number == 0:
            return 0.0
        return float(min(MOST_SECONDS, FIRST_SECONDS * FACTOR ** min(self.number - 1, 20)))


def round_of(asked: Asked) -> Round | None:
    """The round of a call; null where its client cannot be asked to come again. Takes our state out."""
    if not asked.stateless:
        return None
    state = asked.params.get("requestState")
    if isinstance(state, str) and state.startswith(STATE_PREFIX):
        del asked.params["requestState"]
        number = state.removeprefix(STATE_PREFIX)
        if not (number.isascii() and number.isdigit() and 0 < int(number) <= MOST_ROUNDS):
            raise RpcError(INVALID_PARAMS, "params.requestState is not one that was given here")
        return Round(int(number))
    # The tool itself had asked something: its answers would be lost if the client came again for us.
    return None if any(name in asked.params for name in ASKS_AGAIN) else Round()


def come_again(approval: Approval, held: Round) -> Json:
    """The result that has the client come again."""
    what = {"id": str(approval.id), "tool": f"{approval.server}/{approval.tool}", "reason": approval.reason}
    return {
        "resultType": "input_required",
        "requestState": f"{STATE_PREFIX}{min(held.number + 1, MOST_ROUNDS)}",
        "_meta": {APPROVAL_META: {**what, "expires_at": approval.expires_at.isoformat()}},
    }
