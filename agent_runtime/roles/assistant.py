"""The assistant: one model call, no tools. What is left is what the platform itself costs."""

from __future__ import annotations

import json
from typing import Any

from agent_runtime.failure import BadInput
from agent_runtime.tools import Role


def make_assistant(name: str) -> Role:
    """An assistant who is told that it is a so-and-so."""
    return Role(
        name=name,
        prompt=f"You are a helpful {name} agent. Answer in a few sentences.",
        tools=(),
        question=question_in,
        summary=lambda done: {},
    )


def question_in(given: Any) -> str:
    """The question in an input: a text, an object with a question in it, or anything else as JSON."""
    if isinstance(given, dict):
        for key in ("question", "message", "text", "prompt", "topic"):
            if isinstance(given.get(key), str) and given[key].strip():
                return str(given[key]).strip()
    text = given.strip() if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    if given is None or not text:
        raise BadInput('this agent needs an input, as {"input": "your question"}')
    return text
