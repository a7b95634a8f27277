"""
Control brain: compares what is wanted with what is seen every 10 s, and orders the difference.

Wakes on   brain.wake, requests, every 10 s (reconcile), every second (deliver), every 10 minutes (prune)
Owns       agent_instances (all but the observed columns), agent_status, commands, brain_decisions,
           service_registry
Reads      agents, agent_versions, bundles, executions, leases, nodes, node_leases, node_orphans,
           agent_instances (observed columns)
Asks       executor, to start and stop instances
"""
