"""
What a client of the stateless revision is told while a person decides: to come again, with this state.

Such a call is answered `input_required` (specification 2026-07-28, basic/patterns/mrtr) at once, with no
question to the client, for it is not the agent that is asked, and with a `requestState` to come back with.
Whoever comes back is held longer each time: the official clients give up after ten rounds, and ten are to
last longer than any approval. The state is signed, because the specification has servers trust none; what
the call waits for is found by the call itself, so that a lost state loses nothing.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

import orjson

from services.agent_gateway.shapes import as_dict
from services.agent_gateway.tools.protocol import INVALID_PARAMS, Asked, Json, RpcError
from services.contracts.tools import Approval

APPROVAL_META = "dev.agentplane/approval"
STATE_PREFIX = "agentplane-approval."
FIRST_SECONDS, FACTOR, MOST_SECONDS = 5.0, 4, 86_400.0
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
        return float(min(MOST_SECONDS, FIRST_SECONDS * FACTOR ** (self.number - 1)))


class HeldStates:
    """Writes and reads the states that clients bring back."""

    def __init__(self, secret: str) -> None:
        self._secret = hashlib.sha256(f"held calls {secret}".encode()).digest()

    def round_of(self, asked: Asked, org_id: UUID) -> Round | None:
        """The round of a call; null where its client cannot be asked to come again. Takes our state out."""
        if not asked.stateless:
            return None
        state = asked.params.get("requestState")
        if isinstance(state, str) and state.startswith(STATE_PREFIX):
            del asked.params["requestState"]
            return Round(self._read(state, org_id))
        # The tool itself had asked something: its answers would be lost if the client came again for us.
        return None if any(name in asked.params for name in ASKS_AGAIN) else Round()

    def answer(self, approval: Approval, held: Round) -> Json:
        """The result that has the client come again."""
        what = {
            "id": str(approval.id),
            "tool": f"{approval.server}/{approval.tool}",
            "reason": approval.reason,
        }
        said = orjson.dumps({"id": str(approval.id), "round": held.number + 1})
        text = base64.urlsafe_b64encode(said).decode().rstrip("=")
        return {
            "resultType": "input_required",
            "requestState": f"{STATE_PREFIX}{text}.{self._signature(text, approval.org_id)}",
            "_meta": {APPROVAL_META: {**what, "expires_at": approval.expires_at.isoformat()}},
        }

    def _read(self, state: str, org_id: UUID) -> int:
        text, _, signature = state.removeprefix(STATE_PREFIX).partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(text, org_id).encode()):
            raise RpcError(INVALID_PARAMS, "params.requestState is not one that was given here")
        found = as_dict(orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
        return int(found["round"])

    def _signature(self, text: str, org_id: UUID) -> str:
        return hmac.new(self._secret, f"{org_id} {text}".encode(), hashlib.sha256).hexdigest()
