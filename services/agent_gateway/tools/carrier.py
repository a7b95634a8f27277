"""
How one call of a tool passes: the gates, the policy, the ledger, a person where one is asked, the tool.

The order matters. What a replay holds recorded is answered first; a policy may forbid the rest; what has
happened already is answered from the ledger and asks nobody; only then may a call be held, and leave.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.agent_gateway.answers import Answer, CutStream
from services.agent_gateway.calls import Call
from services.agent_gateway.gates import Gates
from services.agent_gateway.records import Active
from services.agent_gateway.refusals import Refused
from services.agent_gateway.replay.keys import TooDeep, tool_key
from services.agent_gateway.shapes import as_dict
from services.agent_gateway.spending.policies import Policies
from services.agent_gateway.spending.rules import Decision
from services.agent_gateway.tools.approval_store import NewApproval
from services.agent_gateway.tools.approvals import Approvals
from services.agent_gateway.tools.effect_store import EffectId, EffectStore, NewEffect
from services.agent_gateway.tools.held import Held, Round
from services.agent_gateway.tools.ledger import Forbidden, Ledger, Unknown
from services.agent_gateway.tools.ordinals import Attempt, Ordinals
from services.agent_gateway.tools.protocol import INVALID_PARAMS, Json, RpcError
from services.chassis.ids import new_id
from services.contracts.agents import Cause
from services.contracts.steps import Effect, StepKind
from services.contracts.tools import ApprovalState

# Runs the tool; the idempotency key is null for calls that change nothing.
Perform = Callable[[Any, UUID | None], Awaitable[Json]]
# The answer in what was recorded of a step; null when there is none in it.
Read = Callable[[bytes], Json | None]

# What its source did with these does not count for a fork: it has a fork of the child, and memory of its own.
APART = frozenset({StepKind.A2A, StepKind.MEMORY})
ENDED = {
    ApprovalState.REJECTED: (Cause.APPROVAL_REJECTED, "a person rejected this call"),
    ApprovalState.EXPIRED: (Cause.APPROVAL_EXPIRED, "nobody decided about this call in time"),
    ApprovalState.CANCELLED: (Cause.CANCELLED_BY_USER, "the execution had ended"),
}


def called_with(body: Json) -> Any:
    """The arguments in an MCP client's request."""
    return as_dict(body.get("params")).get("arguments")


@dataclass(frozen=True)
class Wanted:
    """One call of a tool: which, with what, and how it is done."""

    server: str
    tool: str
    arguments: Any
    effect: Effect
    idempotent: bool
    perform: Perform
    # Which time its client comes for it; null where the client waits on its connection.
    round: Round | None = None
    # Finds the arguments in the body of a request, which a fork may have edited.
    arguments_in: Callable[[Json], Any] = called_with

    @property
    def name(self) -> str:
        """The tool's name in steps and policies."""
        return f"{self.server}/{self.tool}"


@dataclass
class Place:
    """Which of the same calls of an attempt this is; given back unless its answer was given."""

    attempt: Attempt | None = None
    effect: EffectId | None = None
    ledgered: bool = False
    answered: bool = False


class Carrier:
    """Carries calls of tools, whoever asks and whatever the tool is."""

    def __init__(
        self, gates: Gates, policies: Policies, store: EffectStore, ledger: Ledger, approvals: Approvals
    ) -> None:
        self._gates = gates
        self._policies = policies
        self._ordinals = Ordinals(store)
        self._ledger = ledger
        self._approvals = approvals

    @asynccontextmanager
    async def place(self, call: Call) -> AsyncIterator[Place]:
        """Room for one call; say `answered` when its answer was given."""
        place = Place()
        try:
            yield place
        finally:
            effect, attempt = place.effect, place.attempt
            if effect is not None and attempt is not None:
                if not place.answered:
                    attempt.give_back(effect.key, effect.ordinal)
                elif place.ledgered:
                    self._ledger.answered(effect, attempt.number)

    async def carry(self, call: Call, wanted: Wanted, body: Json, place: Place, read: Read) -> Json:
        """The tool's answer; raises `Refused`, `Held`, `NotSent` or `Lost`. Gates may edit `body`."""
        call.effect = wanted.effect
        call.key = key_of(wanted, wanted.arguments)
        answer = await self._gates.admit(call, body)
        arguments = wanted.arguments_in(body) if body else wanted.arguments
        await self._take(call, wanted, arguments, place)
        if answer is not None:
            return await self._recorded(call, wanted, place, answer, read)
        decision = await self._policies.decide_tool(
            call.holder, wanted.server, wanted.tool, arguments, wanted.effect
        )
        if decision.action == "deny":
            message = f"the tool {wanted.name} may not be called so: {decision.rule}"
            raise Refused(403, "policy_denied", message, Cause.POLICY_DENIED)
        if wanted.effect is Effect.READ and decision.action == "allow":
            return await wanted.perform(arguments, None)
        return await self._once(call, wanted, arguments, place, decision)

    async def _once(
        self, call: Call, wanted: Wanted, arguments: Any, place: Place, decision: Decision
    ) -> Json:
        active = call.active
        if active is None or place.effect is None:
            if decision.action == "approve":
                message = f"{wanted.name} needs approval, and it is not known which execution calls it"
                raise Refused(403, "policy_denied", message, Cause.POLICY_DENIED)
            return await wanted.perform(arguments, new_id())
        new, place.ledgered = _effect(call, active, wanted, place.effect), True
        if decision.action == "approve" and await self._ledger.known(new) is None and new.may_start:
            await self._approved(call, active, wanted, arguments, place.effect, decision)
        try:
            document, known = await self._ledger.once(
                new, lambda key: wanted.perform(arguments, key), idempotent=wanted.idempotent
            )
        except Unknown as error:
            message = (
                f"{wanted.name} was called with these arguments before, and the platform stopped before its "
                "answer came: whether it happened is not known, so it is not called again. Find out, and "
                "call it with other arguments if it has to be done."
            )
            raise Refused(409, "outcome_unknown", message, Cause.TOOL_FAILED) from error
        except Forbidden as error:
            message = (
                f"{wanted.name} cannot be undone, and the execution this one was forked from did not call "
                "it: a fork calls it only when it was made with allow_effects=live"
            )
            raise Refused(403, "effect_blocked", message, Cause.POLICY_DENIED) from error
        if known is not None:
            call.served_from, call.source = "ledger", known.source
        return document

    async def _approved(
        self,
        call: Call,
        active: Active,
        wanted: Wanted,
        arguments: Any,
        effect: EffectId,
        decision: Decision,
    ) -> None:
        new = NewApproval(
            org_id=active.org_id,
            id=new_id(),
            agent_id=active.agent_id,
            agent_name=active.agent_name,
            execution_id=active.id,
            key=effect.key,
            ordinal=effect.ordinal,
            step_seq=call.seq,
            server=wanted.server,
            tool=wanted.tool,
            arguments=arguments,
            effect=wanted.effect,
            reason=decision.rule,
            seconds=decision.approval_seconds,
        )
        approval = await self._approvals.wait(active, new, wanted.round.seconds if wanted.round else None)
        if approval.state is ApprovalState.PENDING:
            raise Held(approval)
        if approval.state is not ApprovalState.APPROVED:
            cause, message = ENDED[approval.state]
            comment = f": {approval.comment}" if approval.comment else ""
            raise Refused(403, cause.value, f"{wanted.name}: {message}{comment}", cause)

    async def _recorded(self, call: Call, wanted: Wanted, place: Place, answer: Answer, read: Read) -> Json:
        parts = []
        try:
            async for chunk in answer.chunks:
                parts.append(chunk)
        except CutStream as error:
            call.fail(Cause.TOOL_FAILED, str(error))
        if wanted.effect is not Effect.READ and call.active is not None and place.effect is not None:
            # A fork's own ledger must hold what its source did, for later calls of the same kind to count.
            await self._ledger.known(_effect(call, call.active, wanted, place.effect))
            place.ledgered = True
        document = read(b"".join(parts))
        if document is None:
            raise Refused(502, "tool_failed", "the recorded step holds no answer", Cause.TOOL_FAILED)
        return document

    async def _take(self, call: Call, wanted: Wanted, arguments: Any, place: Place) -> None:
        if call.active is not None:
            key = call.known_as or key_of(wanted, arguments)
            place.attempt = await self._ordinals.of(call.active)
            ordinal = place.attempt.take(key)
            place.effect = EffectId(call.active.org_id, call.active.id, key, ordinal)


def key_of(wanted: Wanted, arguments: Any) -> bytes:
    """The content key of a call of the tool."""
    try:
        return tool_key(wanted.server, wanted.tool, arguments)
    except TooDeep as error:
        raise RpcError(INVALID_PARAMS, "the arguments are nested too deeply") from error


def _effect(call: Call, active: Active, wanted: Wanted, effect: EffectId) -> NewEffect:
    plan = active.replay
    guarded = plan is not None and plan.allow_effects != "live"
    return NewEffect(
        id=effect,
        agent_id=active.agent_id,
        server=wanted.server,
        tool=wanted.tool,
        effect=wanted.effect,
        idempotency_key=new_id(),
        step_seq=call.seq,
        source_id=plan.source_execution_id if plan and guarded and call.kind not in APART else None,
        may_start=not (guarded and wanted.effect is Effect.IRREVERSIBLE),
    )
