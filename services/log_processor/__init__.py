"""
Log processor: stores the lines that agents write, answers their tail, and tells who follows.

Wakes on   requests, and hourly to forget old lines
Owns       agent_logs
Reads      nothing
Asks       nobody
"""
