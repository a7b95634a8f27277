"""
The work itself: ask the model, run the tools it calls, tell it what they returned, until it answers.

A tool that fails is told to the model, which may try something else; a model that fails ends the work.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from agent_runtime.failure import Abandoned, AgentFailed
from agent_runtime.model import Model
from agent_runtime.tools import Role, call_tool

MAX_TURNS = 16

Tell = Callable[[str, dict[str, Any]], None]


class Work(NamedTuple):
    """One execution: its input, the headers that name it, and until when it may take."""

    input: Any
    headers: dict[str, str]
    deadline: float | None = None
    is_abandoned: Callable[[], bool] = bool
    tell: Tell | None = None


class Desk:
    """One role at work with one model."""

    def __init__(self, role: Role, model: Model, *, quiet: bool = False) -> None:
        self._role = role
        self._model = model
        self._definitions = [tool.definition() for tool in role.tools]
        self._quiet = quiet

    def run(self, work: Work) -> dict[str, Any]:
        """Do the work; the answer says what was done on the way to it."""
        question = self._role.question(work.input)
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": self._role.prompt},
            {"role": "user", "content": question},
        ]
        done: list[dict[str, Any]] = []
        started = time.monotonic()
        for turn in range(1, MAX_TURNS + 1):
            if work.is_abandoned():
                raise Abandoned("the caller has hung up")
            message = self._ask(work, messages)
            model = message.pop("model", None) or self._model.name
            calls = message.get("tool_calls")
            if not calls:
                seconds = time.monotonic() - started
                self._note(f"answered after {turn} turns and {len(done)} tool calls in {seconds:.2f} s")
                return self._output(message, model, turn, done)
            messages.append({"role": "assistant", "content": message.get("content"), "tool_calls": calls})
            messages.extend(self._use(call, done, work.tell) for call in calls)
        raise AgentFailed(f"no answer after {MAX_TURNS} turns")

    def _ask(self, work: Work, messages: list[dict[str, Any]]) -> dict[str, Any]:
        tell = work.tell
        return self._model.ask(
            messages,
            self._definitions,
            headers=work.headers,
            deadline=work.deadline,
            on_text=(lambda text: tell("token", {"text": text})) if tell else None,
        )

    def _use(self, call: dict[str, Any], done: list[dict[str, Any]], tell: Tell | None) -> dict[str, Any]:
        function = call.get("function") or {}
        name, arguments, result = call_tool(
            self._role.tools, str(function.get("name")), str(function.get("arguments") or "{}")
        )
        entry = {"tool": name, "arguments": arguments, "result": result}
        done.append(entry)
        if tell:
            tell("tool", entry)
        text = json.dumps(result, ensure_ascii=False)
        self._note(f"{name}({json.dumps(arguments, ensure_ascii=False)}) -> {text[:300]}")
        return {"role": "tool", "tool_call_id": call.get("id"), "content": text}

    def _note(self, line: str) -> None:
        if not self._quiet:
            say(f"{self._role.name}: {line}")

    def _output(
        self, message: dict[str, Any], model: str, turns: int, done: list[dict[str, Any]]
    ) -> dict[str, Any]:
        output = {"answer": message.get("content") or "", "model": model, "turns": turns}
        return {**output, **self._role.summary(done), "tools_called": done}


def say(line: str) -> None:
    """One line of the agent's log."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
