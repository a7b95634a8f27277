"""Benchmarks: each module measures one thing and prints its figures; `python -m benchmarks` runs them all."""
