"""
Spending: what a call may do and what it may cost, decided before it leaves.

`policies.py` says which models and tools may be called, `budgets.py` reserves the worst case of a call in
each budget above it, `prices.py` knows what a model costs, `stops.py` ends everything of an organisation.
"""
