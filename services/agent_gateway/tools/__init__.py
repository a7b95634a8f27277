"""
Tools behind the boundary: MCP servers, what their tools do, calls held for a person, other agents.

Read `tool_calls.py` for how one call passes, `ledger.py` for why nothing is done twice, `approvals.py` for
calls that wait for a person, `upstream.py` for how servers of either age are spoken to, `mcp_door.py` for
what agents see.
"""
