"""An agent that knows AgentPlane by its environment only, and remembers. `remembering_agent.py PORT`."""

import json
import os
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def memory(path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"{os.environ['AGENTPLANE_URL']}/v1/memory{path}",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        if "remember" in asked:
            self._answer({"output": memory("", {"content": asked["remember"], "type": "semantic"})})
        else:
            found = memory("/search", {"query": asked["recall"]})
            self._answer({"output": [each["memory"]["content"] for each in found["items"]]})

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def _answer(self, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
