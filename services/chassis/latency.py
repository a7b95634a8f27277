"""How long a service took to answer lately, told from its own histogram of requests."""

from collections import defaultdict
from collections.abc import Mapping

from prometheus_client import Histogram

Buckets = Mapping[float, float]


class Latency:
    """The median of what was answered since it was last asked; long polls move it less than a mean."""

    def __init__(self, seconds: Histogram) -> None:
        self._seconds = seconds
        self._before: Buckets = {}

    def median_ms(self) -> float | None:
        """Milliseconds, or null when nothing was answered meanwhile."""
        now = _counts(self._seconds)
        fresh = {bound: count - self._before.get(bound, 0) for bound, count in now.items()}
        self._before = now
        return median_ms(fresh)


def _counts(seconds: Histogram) -> Buckets:
    counts: defaultdict[float, float] = defaultdict(float)
    for metric in seconds.collect():
        for sample in metric.samples:
            if sample.name.endswith("_bucket"):
                counts[float(sample.labels["le"])] += sample.value
    return counts


def median_ms(cumulated: Buckets) -> float | None:
    """The median by cumulated counts of buckets, taken to lie evenly within its bucket."""
    bounds = sorted(cumulated)
    whole = cumulated[bounds[-1]] if bounds else 0
    if whole <= 0:
        return None
    below, low = 0.0, 0.0
    for bound in bounds:
        if cumulated[bound] >= whole / 2:
            if bound == float("inf"):
                return round(low * 1000, 2)
            share = (whole / 2 - below) / (cumulated[bound] - below)
            return round((low + share * (bound - low)) * 1000, 2)
        below, low = cumulated[bound], bound
    return None
