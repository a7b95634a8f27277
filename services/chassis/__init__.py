"""
The machine every service sits on; it knows no service.

Read `service.py` for what a service declares, `runner.py` for how it is started and stopped,
and `resources.py` for what it is given.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("agentplane")
except PackageNotFoundError:  # run from a tree that was never installed
    __version__ = "0.0.0"
