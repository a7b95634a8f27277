"""
Memory vector engine: keeps what agents remember, and finds it by meaning and by words.

Wakes on   requests, and a timer for embeddings that wait, collections to keep at hand, expired memories
           and fusion weights
Owns       memory_models, memory_collections, memories, memory_counts, memory_terms, memory_vectors,
           memory_past_vectors, memory_pending, memory_usage, memory_graphs, memory_graph_entries,
           memory_changes
Reads      nothing
Asks       agent-observability when a step began; the embeddings provider for embeddings
"""
