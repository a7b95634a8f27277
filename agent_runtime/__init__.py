"""
The demo agent: what the image `agent-runtime:latest` runs.

It stands outside the platform: standard library only, nothing of the platform imported, everything it knows
comes from the injected environment. That makes it an example of the agent contract as much as a demo.

    python -m agent_runtime          L1: an HTTP server on $PORT
    python -m agent_runtime --job    L0: one input, one output, an exit code

Read `desk.py` for the turns between model and tools, `roles/` for what it can be, `server.py` for the
contract.
"""
