"""
Backend: the public API. It knows who asks, for which organisation and how often, and records every write.

Wakes on   requests; every 10 s to wake the brain, every second to chain the audit log,
           every 30 s and every hour to tidy up
Owns       organisations, users, members, invitations, service_accounts, password_resets, sessions,
           refresh_tokens, login_attempts, api_keys, audit_logs, audit_pending, audit_chain,
           idempotency_keys, agents, agent_versions, bundles
Reads      agent_status, agent_instances (control-brain, node-manager)
Asks       control-brain, agent-gateway, agent-observability, secrets-manager, log-processor,
           metrics-collector, event-processor, node-manager, memory-vector-engine
"""
