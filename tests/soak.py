"""How often a drill repeats: a sample in the suite, the full count in `make soak`."""

import os

SOAK = os.environ.get("AGENTPLANE_SOAK") == "1"


def count(sample: int, full: int) -> int:
    """`full` in a soak, else `sample`."""
    return full if SOAK else sample
