"""The reader of paths that never stream: a provider that streams all the same has not answered."""

from services.agent_gateway.dialects.dialect import Part
from services.agent_gateway.shapes import Outcome


class Unstreamed:
    """Passes a stream on and calls it what it is."""

    def __init__(self) -> None:
        self.outcome = Outcome(error="the provider streamed where it must not", well_formed=False)

    def take(self, block: bytes) -> Part:
        """Pass it on."""
        return Part.PASSED

    def end(self) -> Outcome:
        """Not what was asked for."""
        return self.outcome
