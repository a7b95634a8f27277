"""
The user ids that agents run as when the executor is root: a range of their own, one id per process.

Not the stores' user, for then an agent could read the database's files; and not one id for all agents, for
processes of one id may signal each other and read each other's memory. The range lies between what systemd
leaves to containers and what it gives to others (1,879,048,192 to 2,147,352,575 are nobody's), far above
what `useradd` and `/etc/subuid` hand out. Where a container maps fewer ids, the dynamic ones below 65,520.
"""

import pwd
import random
from collections.abc import Collection
from pathlib import Path

RANGES = ((1_900_000_000, 65_536), (61_184, 4_336))


def uid_range(base: int | None, count: int) -> range:
    """The ids to use: as configured, else the first range that this user namespace can map."""
    candidates = (
        [(base, count)] if base is not None else [(first, min(size, count)) for first, size in RANGES]
    )
    mapped = _mapped()
    for first, size in candidates:
        if any(start <= first and first + size <= start + length for start, length in mapped):
            return range(first, first + size)
    return range(0)


def free_uid(ids: range, used: Collection[int]) -> int:
    """An id that no instance here uses and no user of this machine has."""
    # From a random place on: another installation on this machine takes from the same range.
    for _ in range(1_000):
        uid = ids[random.randrange(len(ids))]  # noqa: S311 - spreads, protects nothing
        if uid not in used and not _has_name(uid):
            return uid
    raise OSError(f"no free user id between {ids.start} and {ids.stop - 1}")


def _mapped() -> list[tuple[int, int]]:
    lines = Path("/proc/self/uid_map").read_text().splitlines()
    return [(int(line.split()[0]), int(line.split()[2])) for line in lines]


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
