"""An agent that streams: in each turn it asks its model, then tells as many tokens as its input says."""

import http.server
import json
import os
import urllib.request


def ask(question: str) -> str:
    """One call of the model."""
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": question}]}
    headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}", "Content-Type": "application/json"}
    url = f"{os.environ['OPENAI_BASE_URL']}/chat/completions"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    # The gateway is the agent's own, not one to be reached through a proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as answer:
        return str(json.load(answer)["choices"][0]["message"]["content"])


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers probes and invocations."""

    def do_GET(self) -> None:
        """Healthy."""
        self._head("application/json")
        self.wfile.write(b'{"status": "Healthy"}')

    def do_POST(self) -> None:
        """Stream."""
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        self._head("text/event-stream")
        for turn in range(given["turns"]):
            said = ask(f"{given['mark']} turn {turn}.")
            for token in range(given["tokens"]):
                self._tell("token", {"turn": turn, "token": token, "said": said})
        self._tell("done", {"output": given["turns"] * given["tokens"]})

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def _head(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def _tell(self, kind: str, data: object) -> None:
        self.wfile.write(f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode())


http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
