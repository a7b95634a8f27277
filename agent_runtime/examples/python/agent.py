"""An agent of one's own: a plain HTTP server, any library, and the environment that AgentPlane injects."""

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

MODEL = os.environ.get("AGENT_MODEL", "scripted/agent")
models = httpx.Client(
    base_url=os.environ["OPENAI_BASE_URL"],
    headers={"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"},
    timeout=120,
)


def as_text(value):
    """What a person sent as text, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def answer(question, headers):
    """Ask the model; the execution's id goes with the call, so that the step is found in its timeline."""
    execution = headers.get("X-AgentPlane-Execution-Id", "")
    completion = models.post(
        "/chat/completions",
        json={"model": MODEL, "messages": [{"role": "user", "content": as_text(question)}]},
        headers={"X-AgentPlane-Execution-Id": execution} if execution else {},
    )
    completion.raise_for_status()
    return completion.json()["choices"][0]["message"]["content"]


class Handler(BaseHTTPRequestHandler):
    """POST /invoke and GET /healthz: the whole of level 1."""

    def do_GET(self):
        """Say that the agent is there."""
        self.reply(200, {"status": "Healthy"})

    def do_POST(self):
        """Do one execution."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            self.reply(200, {"output": {"answer": answer(request.get("input"), self.headers)}})
        except httpx.HTTPError as error:
            self.reply(502, {"error": {"code": "llm_unavailable", "message": str(error)}})

    def reply(self, status, document):
        """Answer with JSON."""
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        """Probes would fill the log."""


server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "8080"))), Handler)
server.daemon_threads = False  # a request that runs is finished before the process ends
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("listening", flush=True)
server.serve_forever()
server.server_close()
