"""mem0 with pgvector: store texts, search them, print figures as JSON; runs in an environment of its own."""

import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

os.environ["MEM0_TELEMETRY"] = "False"
os.environ["MEM0_DIR"] = tempfile.mkdtemp()
os.environ.setdefault("OPENAI_API_KEY", "sk-unused")


def main() -> None:
    """Read what to do from standard input, do it, say how long it took."""
    from mem0 import Memory  # type: ignore[import-not-found]

    task = json.load(sys.stdin)
    embedder = {"model": "bench", "embedding_dims": 1536, "openai_base_url": task["url"]}
    store = {"connection_string": task["database"], "collection_name": "mem0", "embedding_model_dims": 1536}
    memory = Memory.from_config(
        {
            "vector_store": {"provider": "pgvector", "config": {**store, "hnsw": True}},
            "embedder": {"provider": "openai", "config": embedder},
            "history_db_path": os.path.join(os.environ["MEM0_DIR"], "history.db"),  # noqa: PTH118
        }
    )
    started = time.perf_counter()
    for text in task["texts"]:
        memory.add(text, user_id="bench", infer=False)
    wrote = time.perf_counter() - started

    def search(query: str) -> tuple[float, bool]:
        began = time.perf_counter()
        found = memory.search(query, filters={"user_id": "bench"}, top_k=10, threshold=0.0)
        return time.perf_counter() - began, bool(found["results"])

    for query in task["warm"]:
        search(query)
    alone = [search(query) for query in task["alone"]]
    started = time.perf_counter()
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(search, task["together"]))
    took = time.perf_counter() - started
    empty = sum(not found for _, found in alone + together)
    figures = {
        "alone": sorted(seconds * 1000 for seconds, _ in alone),
        "together_per_second": len(together) / took,
        "writes_per_second": len(task["texts"]) / wrote,
        "empty": empty,
    }
    sys.stdout.write("\nFIGURES " + json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
