"""
Metrics collector: samples what instances use of CPU and memory, and answers with an agent's series.

Wakes on   every 10 s to ask the nodes, hourly to forget old samples, and requests
Owns       instance_samples
Reads      nothing
Asks       node-manager for the nodes, each node's executor for its stats
"""
