"""
How many tokens a prompt may have, told from its bytes.

No tokenizer is asked: each model has another, and the provider counts in the end. What is reserved must not
be too little, so letters and spaces count as two to a token (English has more than four) and every other
byte as a token of its own, which is the worst that byte-level tokenizers do. Pictures and documents are not
counted by their base64: a provider counts them by their size in pixels or pages.
"""

import re
from typing import Any

LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ "
# What a provider adds of its own around messages and tools.
ADDED_TOKENS = 64
ADDED_FOR_TOOLS = 512
# Above what OpenAI and Anthropic count for one large picture (about 1,600 and 4,800 tokens).
PICTURE_TOKENS = 6_000
_INLINE = re.compile(rb'"(?:data:[a-z]+/[a-zA-Z0-9.+-]+;base64,)?[A-Za-z0-9+/]{2000,}={0,2}"')
_REFERENCE = re.compile(rb'"(?:image_url|input_image|input_file|file_id|image|document)"')


def most_tokens(raw: bytes, body: dict[str, Any]) -> int:
    """As many tokens as the request's input can have, as far as its bytes tell."""
    text, pictures = raw, 0
    if _REFERENCE.search(raw) is not None:
        text, inline = _INLINE.subn(b'""', raw)
        pictures = max(inline, len(_REFERENCE.findall(raw)))
    others = len(text.translate(None, LETTERS))
    letters = len(text) - others
    added = ADDED_TOKENS + (ADDED_FOR_TOOLS if body.get("tools") else 0)
    return others + (letters + 1) // 2 + pictures * PICTURE_TOKENS + added


def likely_tokens(raw: bytes) -> int:
    """As many tokens as the request's input probably had: four bytes to a token."""
    return (len(raw) + 3) // 4
