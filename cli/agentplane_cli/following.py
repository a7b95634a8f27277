"""`run --follow`: what an execution does while it does it, its events and each step once it is recorded."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from agentplane_cli.api import Api
from agentplane_cli.executions import named, steps_after
from agentplane_cli.failure import Failure
from agentplane_cli.output import dollars, lasted, note

LOOK_SECONDS = 0.5
LONGEST_LINE = 200


HINTS = {
    "waiting_for_approval": "agentplane approvals list",
    "waiting_for_input": "agentplane executions show {id}",
}


class Follower:
    """Writes beside the answer, so that a program that reads the output is not disturbed."""

    def __init__(self, api: Api, execution_id: str) -> None:
        self._api, self._id = api, execution_id
        self._started = time.monotonic()
        self._last_step = 0
        self._in_text = False
        self._over = threading.Event()
        self._one_at_a_time = threading.Lock()

    def follow(self) -> None:
        """Tell everything until the execution has ended."""
        looking = threading.Thread(target=self._look, daemon=True)
        looking.start()
        try:
            for kind, event in self._api.events(f"/executions/{self._id}/events"):
                if kind == "status":
                    self._new_steps()
                with self._one_at_a_time:
                    self._tell(kind, event)
        finally:
            self._over.set()
            looking.join()
        self._new_steps()

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._new_steps()

    def _new_steps(self) -> None:
        try:
            found = steps_after(self._api, self._id, self._last_step)
        except Failure:
            # The events go on, and the next look asks again.
            return
        with self._one_at_a_time:
            # Whoever looked at the same time may have told some of them already.
            for step in [each for each in found if each["seq"] > self._last_step]:
                self._last_step = step["seq"]
                self._line("step", _described(step))

    def _tell(self, kind: str, event: dict[str, Any]) -> None:
        text = _text(event.get("data")) if kind == "token" else None
        if text is not None:
            sys.stderr.write(text)
            sys.stderr.flush()
            self._in_text = True
            return
        data = json.dumps(event.get("data"), ensure_ascii=False)
        cause = f" ({event['cause']})" if event.get("cause") else ""
        if hint := HINTS.get(str(event.get("status"))):
            cause += f"; see {hint.format(id=self._id)}"
        self._line(kind, f"{event.get('status') if kind == 'status' else data[:LONGEST_LINE]}{cause}")

    def _line(self, kind: str, said: str) -> None:
        if self._in_text:
            note("")
            self._in_text = False
        note(f"{time.monotonic() - self._started:6.2f} s  {kind:<8} {said}")


def _described(step: dict[str, Any]) -> str:
    asked = f" → {', '.join(step['tool_calls'])}" if step["tool_calls"] else ""
    tokens = f", {step['tokens_in']}+{step['tokens_out']} tokens" if step["kind"] == "llm" else ""
    cost = f", {dollars(step['cost_nano'])}" if step["cost_nano"] else ""
    came = "" if step["served_from"] == "live" else f", from the {step['served_from']}"
    took = lasted(step["started_at"], step["finished_at"])
    how = step["cause"] or step["status"]
    return f"{step['seq']} {step['kind']} {named(step)}{asked}: {how} in {took}{tokens}{cost}{came}"


def _text(data: Any) -> str | None:
    found = data.get("text", data.get("token")) if isinstance(data, dict) else data
    return found if isinstance(found, str) else None
