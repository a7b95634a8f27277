"""A warm L1 agent that makes one model call for each execution: `python -m benchmarks.warm_agent PORT`."""

import os
import sys
from typing import Any

import aiohttp
import orjson
import uvicorn

QUESTION = orjson.dumps(
    {
        "model": "scripted/echo",
        "messages": [
            {"role": "system", "content": "You are a careful assistant. " * 20},
            {"role": "user", "content": "Summarise the tides of the North Sea. " * 20},
        ],
    }
)


class WarmAgent:
    """Asks the model and answers with what it said."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._url = f"{os.environ['OPENAI_BASE_URL']}/chat/completions"
        self._headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        if scope["method"] == "GET":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        execution = dict(scope["headers"]).get(b"x-agentplane-execution-id", b"").decode()
        headers = {**self._headers, "X-AgentPlane-Execution-Id": execution} if execution else self._headers
        async with self._session.post(self._url, data=QUESTION, headers=headers) as answer:
            document = orjson.loads(await answer.read())
        output = orjson.dumps({"output": document["choices"][0]["message"]["content"]})
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(output)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": output})


if __name__ == "__main__":
    uvicorn.run(WarmAgent(), port=int(sys.argv[1]), log_level="warning", access_log=False, lifespan="off")
