"""Which files of a folder are left out of a bundle: a fixed list, and what `.gitignore` files say."""

from __future__ import annotations

import re
from pathlib import Path

# Made again where the agent runs, or nobody's business there.
ALWAYS = (
    ".git/", ".hg/", ".svn/", "node_modules/", ".venv/", "venv/", "__pycache__/", "*.pyc", ".env", ".env.*",
    "!.env.example", ".DS_Store", ".mypy_cache/", ".ruff_cache/", ".pytest_cache/",
    ".tox/", ".idea/", ".vscode/",
)  # fmt: skip
FILES = (".gitignore", ".agentplaneignore")


class IgnoreRules:
    """The rules of one folder; the last one that matches decides, as in git."""

    def __init__(self, lines: tuple[str, ...] = ALWAYS, base: str = "") -> None:
        self._rules = [rule for line in lines if (rule := _rule(line, base))]

    def with_files_of(self, folder: Path, base: str) -> IgnoreRules:
        """These rules and those of the folder's own ignore files."""
        more = IgnoreRules((), base)
        more._rules = list(self._rules)
        for name in FILES:
            if (folder / name).is_file():
                text = (folder / name).read_text(encoding="utf-8", errors="replace")
                more._rules += [rule for line in text.splitlines() if (rule := _rule(line, base))]
        return more

    def leave_out(self, path: str, is_folder: bool) -> bool:
        """Whether a path, relative to the bundle's root, stays behind."""
        out = False
        for pattern, folders_only, keeps in self._rules:
            if (is_folder or not folders_only) and pattern.fullmatch(path):
                out = not keeps
        return out


def _rule(line: str, base: str) -> tuple[re.Pattern[str], bool, bool] | None:
    line = line.rstrip()
    if not line or line.startswith("#"):
        return None
    keeps = line.startswith("!")
    line = line[1:] if keeps else line
    folders_only = line.endswith("/")
    line = line.rstrip("/")
    # A slash anywhere but at the end ties the pattern to the folder of its file.
    tied = "/" in line
    pattern = _expression(line.lstrip("/"))
    inside = re.escape(f"{base}/") if base else ""
    return re.compile(inside + (pattern if tied else f"(?:.*/)?{pattern}")), folders_only, keeps


def _expression(glob: str) -> str:
    parts, at = [], 0
    while at < len(glob):
        if glob.startswith("**/", at):
            parts.append("(?:.*/)?")
            at += 3
        elif glob.startswith("**", at):
            parts.append(".*")
            at += 2
        elif glob[at] == "*":
            parts.append("[^/]*")
            at += 1
        elif glob[at] == "?":
            parts.append("[^/]")
            at += 1
        elif glob[at] == "[" and (end := glob.find("]", at + 2)) > 0:
            body = glob[at + 1 : end].replace("\\", "\\\\")
            parts.append(f"[{'^' + body[1:] if body[0] in '!^' else body}]")
            at = end + 1
        else:
            parts.append(re.escape(glob[at]))
            at += 1
    return "".join(parts)
