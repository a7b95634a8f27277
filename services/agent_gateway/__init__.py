"""
Agent gateway: the boundary. Executions are queued, dispatched and ended here; every model call passes here.

Wakes on   requests of the platform and of agents; agents.events; new executions, free places and its own
           lease, deadline and refresh loops
Owns       executions, execution_events, execution_lanes, virtual_keys, mcp_servers, effects, approvals,
           replay_masks, bulk_forks, bulk_fork_items, organisation_policies, organisation_stops, budgets,
           budget_holds, model_prices
Reads      agents (who may use a server)
Asks       node-manager which instances are ready, control-brain for job processes, agent-observability to
           store steps, secrets-manager for agents' provider keys, memory-vector-engine for what agents
           remember, backend whom an agent may call

Read `dispatcher.py` for how an execution runs, `model_calls.py` for how a model call passes, `outcomes.py`
for what is retried. In this form one replica of the gateway runs at a time.
"""
