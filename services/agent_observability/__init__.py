"""
Agent observability: the journal of steps, one boundary call each, and the timelines made of them.

Wakes on   requests: the agent-gateway hands over one batch for each of its commit groups
Owns       steps, step_bodies
Asks       nobody
"""
