"""
Bulk forks: one change tried on every execution that a search finds.

`selecting.py` finds them, `estimating.py` says where each is forked and what that would take, `judging.py`
what became of one, and `advancing.py` has them made, a few at a time, from rows that outlive the gateway.
"""
