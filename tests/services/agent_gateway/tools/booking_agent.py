"""An agent that books once over MCP and prints the answer: `booking_agent.py URL KEY WHAT`."""

import http.client
import json
import sys
from urllib.parse import urlsplit


def main() -> None:
    url, key, what = urlsplit(sys.argv[1]), sys.argv[2], sys.argv[3]
    connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=20)
    connection.connect()
    print("ready", flush=True)
    params = {"name": "book", "arguments": {"what": what}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", url.path, body, headers)
    answer = json.loads(connection.getresponse().read())
    print(answer["result"]["content"][0]["text"], flush=True)


if __name__ == "__main__":
    main()
