"""One step for a person to read: what was sent, what came back, what became of the tools it asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from agentplane_cli.output import Format, dollars, lasted, show_fields, show_json
from agentplane_cli.terminal import say, styled

ROLE_WIDTH = 10


def show_step(step: dict[str, Any], output: Format) -> None:
    """The step in full: as it came for a program, in sections for a person."""
    if output is Format.JSON:
        show_json(step)
        return
    show_fields(
        [
            ("Step", f"{step['seq']} of {step['execution_id']}" if step["execution_id"] else "unattributed"),
            ("Call", _call(step)),
            ("Status", _status(step)),
            ("Error", step["error"]),
            ("Answered", _answered(step)),
            ("Took", _took(step)),
            ("Tokens", _tokens(step)),
            ("Redacted", ", ".join(step["redacted"])),
        ]
    )
    _section("Sent", _said(step["prompt"]) if step["prompt"] else _body(step, "request"))
    answer = [step["completion"]] if step["completion"] else None
    _section("Came back", _said(answer) if answer else _body(step, "response"))
    _section("Tools", _tools(step["calls"]))


def _call(step: dict[str, Any]) -> str:
    model = f", {step['model']}" if step["model"] else ""
    effect = f", {step['effect']}" if step["effect"] else ""
    return f"{step['kind']} {step['name']}{model}{' (scripted)' if step['scripted'] else ''}{effect}"


def _status(step: dict[str, Any]) -> str:
    parts = [step["status"], step["cause"], f"HTTP {step['http_status']}" if step["http_status"] else None]
    return ", ".join(part for part in [*parts, "streamed" if step["streamed"] else None] if part)


def _answered(step: dict[str, Any]) -> str:
    if step["served_from"] == "live":
        return "live"
    source = step["source_execution_id"]
    return f"from the {step['served_from']}" + (f", step {step['source_seq']} of {source}" if source else "")


def _took(step: dict[str, Any]) -> str:
    first = lasted(step["started_at"], step["first_byte_at"])
    whole = lasted(step["started_at"], step["finished_at"])
    return f"{whole}{f', first byte after {first}' if first else ''}, since {step['started_at']}"


def _tokens(step: dict[str, Any]) -> str | None:
    if step["kind"] != "llm":
        return None
    parts = [f"{step['tokens_in']}+{step['tokens_out']}"]
    parts += [
        f"{step[f'tokens_{kind}']} {kind}" for kind in ("cached", "reasoning") if step[f"tokens_{kind}"]
    ]
    parts.append(dollars(step["cost_nano"]) if step["priced"] else "no price is known")
    return ", ".join([*parts, *(["estimated"] if step["estimated"] else [])])


def _section(title: str, lines: Iterator[str]) -> None:
    text = list(lines)
    if text:
        say()
        say(styled(title, "bold"))
        for line in text:
            say(f"  {line}".rstrip())


def _said(messages: list[dict[str, Any]]) -> Iterator[str]:
    for message in messages:
        texts = [f"({message['reasoning']})"] if message["reasoning"] else []
        texts += [message["text"]] if message["text"] else []
        texts += [f"→ {each['name']} {_compact(each['arguments'])}" for each in message["tool_calls"]]
        lines = "\n".join(texts).split("\n")
        yield from _indented(message["role"], lines)


def _tools(calls: list[dict[str, Any]]) -> Iterator[str]:
    for each in calls:
        where = "inside the agent" if each["observed"] else f"step {each['seq']}"
        failed = ", failed" if each["is_error"] else ""
        yield f"{each['name']} {_compact(each['arguments'])}  ({where}{failed})"
        if each["result"] is not None:
            result = each["result"] if isinstance(each["result"], str) else _compact(each["result"])
            yield from _indented("→", result.split("\n"), 2)


def _indented(first: str, lines: list[str], width: int = ROLE_WIDTH) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"{first if number == 0 else '':<{width}}{line}"


def _body(step: dict[str, Any], which: str) -> Iterator[str]:
    document, text = step[which], step[f"{which}_text"]
    whole = json.dumps(document, indent=2, ensure_ascii=False) if document is not None else text
    yield from (whole or "").split("\n") if whole else ()


def _compact(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
