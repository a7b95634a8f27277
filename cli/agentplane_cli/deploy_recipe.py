"""How to do a deployment again: as a command and as curl, with secrets left to the reader's environment."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
FLAGS = (
    ("name", "--name"),
    ("docker_image", "--image"),
    ("mode", "--mode"),
    ("cpu_limit", "--cpu"),
    ("memory_limit", "--memory"),
    ("replicas", "--replicas"),
    ("isolation", "--isolation"),
    ("description", "--description"),
)


def command_line(body: dict[str, Any], folder: Path | None, from_environment: set[str]) -> str:
    """The command that does the same without asking."""
    parts = ["agentplane", "deploy-agent"]
    for key, flag in FLAGS:
        if key in body:
            parts += [flag, str(body[key])]
    if folder is not None:
        parts += ["--folder", str(folder)]
    if "command" in body:
        parts += ["--command", shlex.join(body["command"])]
    for name, value in body.get("env_vars", {}).items():
        parts += ["--env", name if _is_hidden(name, from_environment) else f"{name}={value}"]
    if "policy" in body:
        parts += ["--policy", "policy.yaml"]
    return shlex.join(parts)


def curl(url: str, body: dict[str, Any], from_environment: set[str]) -> str:
    """The request that does the same; the shell puts hidden values in."""
    shown = dict(body)
    hidden = {name for name in body.get("env_vars", {}) if _is_hidden(name, from_environment)}
    if "env_vars" in body:
        shown["env_vars"] = {
            name: _mark(name) if name in hidden else value for name, value in body["env_vars"].items()
        }
    text = json.dumps(shown, indent=2, ensure_ascii=False)
    # In an unquoted here-document the shell still reads these three.
    text = re.sub(r"[\\$`]", lambda found: "\\" + found.group(), text)
    for name in hidden:
        text = text.replace(_mark(name), f"${name}")
    return (
        f"  curl -X POST {url}/api/v1/agents -H 'Content-Type: application/json' \\\n"
        f'    -H "Authorization: Bearer $AGENTPLANE_API_KEY" -d @- <<JSON\n{text}\nJSON'
    )


def _is_hidden(name: str, from_environment: set[str]) -> bool:
    return name in from_environment or SECRET.search(name) is not None


def _mark(name: str) -> str:
    return f"<<{name}>>"
