"""What can go wrong while local mode starts or stops; each message is a sentence for a person.

LocalModeError
├── StoreFailed         a store did not start, or died while starting
├── PortInUse           another process listens where the platform wants to
├── AlreadyRunning      a supervisor holds the data directory
├── UnusableDirectory   the data directory cannot be written, or cannot be reached by the stores' user
└── MissingBinary       the wheel of a store is not installed in this environment
"""


class LocalModeError(Exception):
    """Local mode cannot go on; the message says why and what to do."""


class StoreFailed(LocalModeError):
    """A store did not become ready."""


class PortInUse(LocalModeError):
    """A port that the platform needs is taken."""


class AlreadyRunning(LocalModeError):
    """Another supervisor runs on the same data directory."""


class UnusableDirectory(LocalModeError):
    """The data directory is not usable."""


class MissingBinary(LocalModeError):
    """A store's wheel is not installed."""
