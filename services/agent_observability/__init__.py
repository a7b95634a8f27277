"""
Agent observability: the journal of steps, one boundary call each, and the timelines made of them.

Wakes on   requests: the agent-gateway hands over one batch for each of its commit groups; and every hour, to
           make room for the coming weeks and to drop those that are kept no longer
Owns       steps, step_blobs, step_usage, steps_rest, step_blobs_rest
Reads      executions (how much of them was recorded)
Asks       nobody
"""
