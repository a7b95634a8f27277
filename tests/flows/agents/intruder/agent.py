"""An agent that does whatever it is asked to: `{"python": "…"}` is run, and what it prints is the output."""

import contextlib
import http.server
import io
import json
import os
import traceback


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers probes and invocations."""

    def do_GET(self) -> None:
        """Healthy."""
        self._answer({"status": "Healthy"})

    def do_POST(self) -> None:
        """Run what was sent."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            try:
                exec(asked["python"], {})
            except Exception:
                traceback.print_exc(file=printed)
        self._answer({"output": printed.getvalue()})

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def _answer(self, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
