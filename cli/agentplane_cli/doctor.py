"""`agentplane doctor`: what could keep the platform from working on this machine, and what to do."""

from __future__ import annotations

from dataclasses import asdict

from agentplane_cli.failure import Exit, Failure
from agentplane_cli.output import Format, Output, show_json
from agentplane_cli.terminal import columns, say

STYLES = {"ok": "ok", "warn": "warn", "fail": "fail"}


def doctor(output: Output = Format.TABLE) -> None:
    """Look for problems on this machine; ends with 1 when one would keep the platform from working."""
    from agentplane_cli.platform import open_platform

    platform = open_platform(prepare=False)
    from services.embedded.diagnosis import diagnose

    findings = diagnose(platform)
    if output is not Format.TABLE:
        show_json([asdict(finding) for finding in findings])
    else:
        rows = [(finding.level, finding.name, finding.text) for finding in findings]
        lines = columns(rows, [STYLES[finding.level] for finding in findings])
        for finding, line in zip(findings, lines, strict=True):
            say(line)
            if finding.fix:
                say(f"      → {finding.fix}")
    failed = [finding.name for finding in findings if finding.level == "fail"]
    if failed:
        raise Failure(f"{', '.join(failed)}: mend this first", Exit.FAILED)
