"""The median of a service's latest answers, read from its histogram."""

import pytest

from services.chassis.latency import Latency, median_ms
from services.chassis.metrics import Metrics


def test_the_median_is_of_what_came_since_it_was_asked() -> None:
    seconds = Metrics("backend").request_seconds
    latency = Latency(seconds)
    assert latency.median_ms() is None
    for route in ("/a", "/b"):
        for _ in range(10):
            seconds.labels("backend", route).observe(0.004)
    seconds.labels("backend", "/wait").observe(20)
    assert latency.median_ms() == pytest.approx(3.81, abs=0.1)
    assert latency.median_ms() is None
    seconds.labels("backend", "/a").observe(0.4)
    assert latency.median_ms() == pytest.approx(375)


def test_what_is_beyond_the_last_bucket_is_told_as_its_bound() -> None:
    assert median_ms({1.0: 0, float("inf"): 3}) == 1000
