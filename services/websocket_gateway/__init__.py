"""
WebSocket gateway: pushes live changes and log lines to open pages, each organisation its own.

Wakes on   ui.updates and logs.lines (every replica hears all), every 15 s to end stale connections, requests
Owns       nothing; a one-time ticket is taken from Redis when it is used
Reads      outbox (to replay what a page missed), sessions, members, organisations (to end what was revoked)
Asks       nobody
"""
