"""
Event processor: projects events into live state in Redis, announces every change to open pages and sends
events to the webhooks of organisations.

Wakes on   agents.events, executions.events, nodes.events, webhooks.events, approvals.events,
           every second to deliver to webhooks, every 5 s to see whether Redis is complete,
           every 30 s to bury deleted webhooks, daily to forget old events, and requests
Owns       the keys `live:*` in Redis, dead_letters (replayed_at), webhook_endpoints, webhook_deliveries,
           webhook_attempts, webhook_position
Reads      outbox (history), organisations, agents, agent_status (to rebuild)
Asks       secrets-manager to keep and to reveal the secrets that webhooks are signed with
"""
