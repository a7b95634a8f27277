"""An agent for drills: one model call, one effect at a tool outside, one answer. Standard library only."""

import json
import os
import signal
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOOL_URL = os.environ.get("TOOL_URL", "")


def call(url: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
    )
    # The drill's own addresses are on loopback; a proxy has no part in it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.loads(answer.read())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(200, {"status": "Healthy", "active": 0})

    def do_POST(self) -> None:
        invocation = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        execution = self.headers["X-AgentPlane-Execution-Id"]
        try:
            output = self.work(invocation["input"], execution)
        except OSError as error:
            self.answer(500, {"error": repr(error)})
            return
        self.answer(200, {"output": output})

    def work(self, task: Any, execution: str) -> Any:
        model = call(
            os.environ["OPENAI_BASE_URL"].rstrip("/") + "/chat/completions",
            {"model": "scripted/echo", "messages": [{"role": "user", "content": f"task {task}"}]},
            {
                "Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}",
                "X-AgentPlane-Execution-Id": execution,
            },
        )
        if TOOL_URL:
            call(
                TOOL_URL + "/effect",
                {"task": task, "run_id": os.environ["AGENTPLANE_INSTANCE_ID"]},
                {"Idempotency-Key": execution},
            )
        return {"task": task, "said": model["choices"][0]["message"]["content"]}

    def answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        return


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print("ledger agent ready", flush=True)
    server.serve_forever()
    sys.exit(0)


if __name__ == "__main__":
    main()
