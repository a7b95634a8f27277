"""
L0: the agent as a job.

Input from $AGENTPLANE_INPUT_FILE, else from standard input; the output is the last line of standard output,
and in the output file where its directory is there. Exit 0: success; 75: try again; else: failed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from agent_runtime.desk import Desk, Work
from agent_runtime.failure import AgentFailed, BadInput
from agent_runtime.settings import Settings


def run_job(desk: Desk, settings: Settings) -> int:
    """Work on the one input; returns the exit code."""
    headers = {"X-AgentPlane-Execution-Id": settings.execution_id} if settings.execution_id else {}
    try:
        output = desk.run(Work(_input(settings.input_file), headers))
    except AgentFailed as failure:
        sys.stderr.write(f"{failure.code}: {failure}\n")
        return failure.exit_code
    text = json.dumps(output, ensure_ascii=False)
    target = Path(settings.output_file)
    if target.parent.is_dir():
        target.write_text(text, encoding="utf-8")
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    return 0


def _input(file: str) -> Any:
    text = Path(file).read_text(encoding="utf-8") if file else sys.stdin.read()
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except ValueError:
        if file:
            raise BadInput(f"{file} is not JSON") from None
        return text.strip()
