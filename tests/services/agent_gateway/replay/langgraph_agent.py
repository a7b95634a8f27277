"""
A LangGraph agent as its users write it, with HTTP in front; LangGraph is installed where it runs.

Each round the model asks for several tools at once; each tool asks the model too. With `volatile` the system
prompt holds the time and a new id, and so does each result.
"""

import json
import os
import sys
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from langchain_core.messages import HumanMessage, SystemMessage  # type: ignore[import-not-found]
from langchain_core.tools import tool  # type: ignore[import-not-found]
from langchain_openai import ChatOpenAI  # type: ignore[import-not-found]
from langgraph.prebuilt import create_react_agent  # type: ignore[import-not-found]

MODEL = ChatOpenAI(model="m", timeout=60)


def walk(asked: dict[str, Any]) -> list[str]:
    volatile = bool(asked.get("volatile"))

    @tool  # type: ignore[untyped-decorator]
    def look_up(what: str) -> str:
        """Look something up."""
        found = MODEL.invoke([HumanMessage(f"look up {what}")]).content
        return f"{found} at {time.time()} as {uuid.uuid4()}" if volatile else str(found)

    agent = create_react_agent(MODEL, [look_up])
    prompt = "Walk."
    if volatile:
        prompt += f" Today is {time.strftime('%Y-%m-%d %H:%M:%S')}, run {uuid.uuid4()}."
    messages: list[Any] = [SystemMessage(prompt)]
    heard = []
    for turn in range(asked["rounds"]):
        wish = {"calls": asked["parallel"], "identical": bool(asked.get("identical")), "turn": turn}
        messages = agent.invoke({"messages": [*messages, HumanMessage(json.dumps(wish))]})["messages"]
        heard.append(messages[-1].content)
    return heard


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        status = 200
        answer: dict[str, Any]
        try:
            answer = {"output": {"heard": walk(asked), "pid": os.getpid()}}
        except Exception as error:
            status, answer = 500, {"error": repr(error)[:500]}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
