"""Memory as forks see it: `overlay.py` has the verbs, `overlay_store.py` the rows, `merging.py` ranks."""
