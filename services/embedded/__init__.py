"""
Local mode: the real stores and the platform's processes on one machine, without containers.

PostgreSQL with pgvector, NATS with JetStream and Redis come as wheels; `stores.py` runs them,
`supervisor.py` keeps them and the three platform processes alive. Everything here that the supervisor
imports is standard library only, so that the process which watches the others stays small.
Read next: `data_directory.py` (where things are kept), `stores.py`, `supervisor.py`.
"""
