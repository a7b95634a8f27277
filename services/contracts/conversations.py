"""What was said in a model call, in one shape whatever the provider: messages and tools."""

from typing import Any

from pydantic import Field

from services.chassis.contract import Contract


class ToolUse(Contract):
    """A tool that a model asked for."""

    id: str | None = None
    name: str
    arguments: Any = Field(None, description="parsed where they are JSON")


class Message(Contract):
    """One message of a conversation."""

    role: str = Field(description="system, user, assistant or tool, whatever the provider calls it")
    text: str = ""
    reasoning: str | None = None
    tool_calls: list[ToolUse] = Field(default_factory=list)
    tool_call_id: str | None = Field(None, description="of tool messages: what they answer")
    is_error: bool = False
    finish_reason: str | None = Field(None, description="of answers: why the model stopped")


class ToolCall(ToolUse):
    """A tool that was asked for, and what became of it."""

    result: str | None = Field(None, description="null when no later request of the execution tells")
    is_error: bool = False
    seq: int | None = Field(None, description="step by which it passed the gateway")
    observed: bool = Field(
        False, description="it ran inside the agent: known from the next request only, not a step of its own"
    )
