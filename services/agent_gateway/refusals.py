"""A call that the gateway answers itself, with an error the agent's SDK understands."""

from services.agent_gateway.shapes import error_body
from services.contracts.agents import Cause


class Refused(Exception):
    """The gateway answers the call itself, with an error."""

    def __init__(self, status: int, code: str, message: str, cause: Cause, param: str | None = None) -> None:
        self.status, self.code, self.message, self.cause, self.param = status, code, message, cause, param
        super().__init__(message)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What tells an SDK whether asking again could help."""
        if self.status == 429:
            return [(b"retry-after", b"1")]
        final = self.status == 403 or (self.status == 503 and self.cause is Cause.LLM_UNAVAILABLE)
        return [(b"x-should-retry", b"false")] if final else []

    @property
    def body(self) -> bytes:
        """The error as the agent sees it."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        return error_body(self.code, kind, self.message, self.param)
