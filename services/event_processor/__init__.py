"""
Event processor: projects events into live state in Redis and announces every change to open pages.

Wakes on   agents.events, executions.events, nodes.events, every 5 s to see whether Redis is complete,
           daily to forget old events, and requests
Owns       the keys `live:*` in Redis, dead_letters (replayed_at)
Reads      outbox (history), organisations, agents, agent_status (to rebuild)
Asks       nobody
"""
