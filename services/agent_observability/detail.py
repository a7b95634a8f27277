"""A step in full, as a person reads it: the conversation, the answer, the tools, and the exact bytes."""

from collections.abc import Awaitable, Callable, Sequence

from services.agent_observability.completions import completion_of, parsed
from services.agent_observability.prompts import messages_of
from services.agent_observability.tool_calls import followed_up, mcp_call
from services.contracts.conversations import Message, ToolCall
from services.contracts.steps import RawStep, Step, StepDetail, StepKind

# So many steps after a model call may pass until its tools' results are told.
LOOKED_AHEAD = 60
Reader = Callable[[Sequence[int]], Awaitable[list[RawStep]]]


async def detail_of(step: Step, raw: RawStep, later: Sequence[Step], read: Reader) -> StepDetail:
    """A step with its bodies as text and parsed; `read` fetches the bodies of the steps after it."""
    request = parsed(raw.request_bytes)
    prompt = messages_of(_sent(request, raw)) if step.kind is StepKind.LLM else []
    completion = completion_of(raw.response_bytes) if step.kind is StepKind.LLM else None
    if completion and completion.tool_calls:
        calls = await _calls(completion, later, read)
    else:
        call = mcp_call(raw) if step.kind is StepKind.TOOL else None
        calls = [call] if call else []
    return StepDetail(
        **step.model_dump(),
        request=request,
        response=parsed(raw.response_bytes),
        request_text=raw.request_bytes.decode("utf-8", "backslashreplace"),
        response_text=raw.response_bytes.decode("utf-8", "backslashreplace"),
        request_type=content_type(raw.request_bytes),
        response_type=content_type(raw.response_bytes),
        request_patch=raw.request_patch,
        prompt=prompt,
        completion=completion,
        calls=calls,
    )


def _sent(request: object, raw: RawStep) -> object:
    """What the model was sent, where the gateway changed what the agent asked."""
    patch = raw.request_patch
    if not patch or not isinstance(request, dict):
        return request
    whole = {**request, **patch.get("set", {})}
    return {name: value for name, value in whole.items() if name not in patch.get("unset", ())}


async def _calls(completion: Message, later: Sequence[Step], read: Reader) -> list[ToolCall]:
    wanted = {use.id for use in completion.tool_calls}
    between: list[int] = []
    for step in later:
        if step.kind is StepKind.TOOL:
            between.append(step.seq)
        elif step.kind is StepKind.LLM:
            [raw] = await read([step.seq])
            answers = messages_of(parsed(raw.request_bytes))
            if wanted & {each.tool_call_id for each in answers if each.role == "tool"}:
                return followed_up(completion.tool_calls, answers, await _passed(between, read))
    return followed_up(completion.tool_calls, [], await _passed(between, read))


async def _passed(seqs: Sequence[int], read: Reader) -> list[ToolCall]:
    return [call for raw in (await read(seqs) if seqs else []) if (call := mcp_call(raw))]


def content_type(body: bytes) -> str | None:
    """What a body is, told from its bytes; null for an empty one."""
    if not body:
        return None
    start = body.lstrip()[:8]
    if start[:1] in {b"{", b"["} and parsed(body) is not None:
        return "application/json"
    if start.startswith((b"data:", b"event:", b"id:", b":")):
        return "text/event-stream"
    try:
        body.decode()
    except UnicodeDecodeError:
        return "application/octet-stream"
    return "text/plain"
