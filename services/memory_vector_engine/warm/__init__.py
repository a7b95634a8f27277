"""
Collections that are searched often, kept in this process: memories, and arrays to rank them by.

The store stays the truth. A search asks the store, in one statement and so in one snapshot, whether anything
of these collections changed since they were read, under row-level security. Only when nothing changed is what
is kept ranked; else what changed is read first. `part.py` is the arrays, `ranking.py` the two rankings,
`kept.py` a collection, `cache.py` which ones are kept, `finding.py` a search.
"""
