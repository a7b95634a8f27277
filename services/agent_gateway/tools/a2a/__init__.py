"""
A2A v1.0 in front of every agent, by translation: a task is an execution, its context a thread.

Read `door.py` for how one request passes, `tasks.py` for what its methods do, `messages.py` for what is
translated into what.
"""
