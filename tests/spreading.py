"""
How the tests are spread over pytest-xdist's workers: file by file, those that take longest first.

A file's tests, and those of one `xdist_group`, stay with one worker, so that what a module starts is started
once.
"""

from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadGroupScheduling

# A platform each; the longest first, for what begins last keeps one worker busy while the others are done.
GROUPS = ("browser", "live", "provided", "drills", "compose")


class FileScheduling(LoadGroupScheduling):  # type: ignore[misc] # xdist tells no types
    """Like `--dist loadgroup`, but with a file for each test outside any group."""

    def _split_scope(self, nodeid: str) -> str:
        group_or_test: str = super()._split_scope(nodeid)
        return group_or_test.split("::")[0]


def longest_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Tests of groups first, then those of files with drills."""
    drilled = {item.path for item in items if item.get_closest_marker("drill")}

    def turn(item: pytest.Item) -> int:
        if group := item.get_closest_marker("xdist_group"):
            assert group.args[0] in GROUPS, f"say in {__name__}.GROUPS how long {group.args[0]} takes"
            return GROUPS.index(group.args[0])
        return len(GROUPS) + (item.path not in drilled)

    return sorted(items, key=turn)
