"""A stock job: the anthropic package, one whole and one streamed answer."""

import json
import sys

from anthropic import Anthropic

client = Anthropic()
question = [{"role": "user", "content": str(json.load(sys.stdin))}]
whole = client.messages.create(model="claude-sonnet-4-5", max_tokens=200, messages=question)
with client.messages.stream(model="claude-sonnet-4-5", max_tokens=200, messages=question) as stream:
    streamed = stream.get_final_text()
print(json.dumps({"whole": whole.content[0].text, "streamed": streamed}))
