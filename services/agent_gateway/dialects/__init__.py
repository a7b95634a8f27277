"""
Dialects: what the gateway must know of the shapes in which agents speak to models, one class a path.

`dialect.py` says what a dialect is; `chat.py`, `responses.py`, `embeddings.py` are OpenAI's, `messages.py` is
Anthropic's. The `…_voice.py` beside them is how the scripted provider speaks that shape. Bytes are never
rewritten here: a dialect reads what passes, so that it can be counted and its end be known.
"""
