"""
Node manager: keeps what nodes say of themselves and of what they run, and notices when they fall silent.

Wakes on   requests, every 2 s (watch)
Owns       nodes, node_leases, node_orphans, agent_instances (the observed columns)
Reads      agent_instances (the desired columns)
Asks       nobody; it wakes the brain by broadcast
"""
