"""
Collections that are searched often, kept in this process: embeddings, signatures and postings as arrays.

The store stays the truth. A search ranks what is kept and then asks the store, in one statement and so in one
snapshot, whether anything of these collections changed since, and for the memories it found, under row-level
security. Only when nothing changed is that the answer; else what changed is read first. `part.py` is the
arrays, `ranking.py` the two rankings, `kept.py` a collection, `cache.py` which ones are kept, `finding.py` a
search.
"""
