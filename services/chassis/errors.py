"""
Everything that can go wrong, as one tree; the same class on both sides of a call.

    PlatformError                    500  internal
    ├── Invalid                      422  invalid
    │   ├── Malformed                400  malformed
    │   ├── TooLarge                 413  too_large
    │   ├── UnsafeUrl                422  unsafe_url
    │   ├── RuntimeUnavailable       422  runtime_unavailable
    │   └── IsolationUnavailable     422  isolation_unavailable
    ├── Unauthenticated              401  unauthenticated
    │   ├── TokenExpired             401  token_expired
    │   ├── TokenReused              401  token_reused
    │   └── BadCredentials           401  bad_credentials
    ├── Forbidden                    403  forbidden
    ├── NotFound                     404  not_found
    ├── MethodNotAllowed             405  method_not_allowed
    ├── Conflict                     409  conflict
    │   ├── AlreadyExists            409  already_exists
    │   ├── IdempotencyMismatch      409  idempotency_mismatch
    │   ├── ThreadBusy               409  thread_busy
    │   ├── InProgress               409  in_progress
    │   ├── StaleEpoch               409  stale_epoch
    │   └── IllegalState             409  illegal_state
    ├── Stale                        412  stale
    ├── PreconditionRequired         428  precondition_required
    ├── RateLimited                  429  rate_limited
    │   └── LockedOut                429  locked_out
    └── Unavailable                  503  unavailable
        ├── Overloaded               503  overloaded
        └── UpstreamTimeout          504  upstream_timeout

On the wire an error is RFC 9457 problem+json with a stable `code`; `docs/errors.md` lists them all.
"""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

PROBLEM_TYPE = "https://agentplane.dev/errors/"


class PlatformError(Exception):
    """Something inside the platform failed; the caller did nothing wrong."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[dict[str, Any]] = (),
        retry_after: float | None = None,
    ) -> None:
        self.detail = detail or (type(self).__doc__ or type(self).__name__).strip()
        self.errors = list(errors)
        self.retry_after = retry_after
        super().__init__(self.detail)

    def problem(self, instance: str | None = None) -> dict[str, Any]:
        """The error as an RFC 9457 document."""
        document: dict[str, Any] = {
            "type": PROBLEM_TYPE + self.code,
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if instance:
            document["instance"] = instance
        if self.errors:
            document["errors"] = self.errors
        if self.retry_after is not None:
            document["retry_after"] = self.retry_after
        return document


class Invalid(PlatformError):
    """The request is well-formed but a field of it cannot be accepted."""

    status, code = 422, "invalid"


class Malformed(Invalid):
    """The request could not be parsed."""

    status, code = 400, "malformed"


class TooLarge(Invalid):
    """The request body is larger than this route accepts."""

    status, code = 413, "too_large"


class UnsafeUrl(Invalid):
    """The URL leads to an address that the platform must not call."""

    code = "unsafe_url"


class RuntimeUnavailable(Invalid):
    """No node can run this kind of image."""

    status, code = 422, "runtime_unavailable"


class IsolationUnavailable(Invalid):
    """No node offers the isolation or the enforcement that the agent requires."""

    status, code = 422, "isolation_unavailable"


class Unauthenticated(PlatformError):
    """The request carries no valid credential."""

    status, code = 401, "unauthenticated"


class TokenExpired(Unauthenticated):
    """The credential has expired."""

    code = "token_expired"


class TokenReused(Unauthenticated):
    """A refresh token was used twice; the session was ended to be safe."""

    code = "token_reused"


class BadCredentials(Unauthenticated):
    """The e-mail address and the password do not match."""

    code = "bad_credentials"


class Forbidden(PlatformError):
    """The caller is known but may not do this."""

    status, code = 403, "forbidden"


class NotFound(PlatformError):
    """There is no such thing, or it belongs to another organisation."""

    status, code = 404, "not_found"


class MethodNotAllowed(PlatformError):
    """The path exists, but not for this method."""

    status, code = 405, "method_not_allowed"


class Conflict(PlatformError):
    """The request contradicts the present state."""

    status, code = 409, "conflict"


class AlreadyExists(Conflict):
    """Something of that name exists already."""

    code = "already_exists"


class IdempotencyMismatch(Conflict):
    """The idempotency key was used before with another request."""

    code = "idempotency_mismatch"


class ThreadBusy(Conflict):
    """The thread is at work, and the request says not to wait for it."""

    code = "thread_busy"


class InProgress(Conflict):
    """The first request with this idempotency key has not finished yet."""

    code = "in_progress"


class StaleEpoch(Conflict):
    """The writer's lease has passed to another; the write was refused."""

    code = "stale_epoch"


class IllegalState(Conflict):
    """The thing is in a state that does not allow this."""

    code = "illegal_state"


class Stale(PlatformError):
    """The thing has changed since it was read (If-Match does not match)."""

    status, code = 412, "stale"


class PreconditionRequired(PlatformError):
    """This route needs an If-Match header."""

    status, code = 428, "precondition_required"


class RateLimited(PlatformError):
    """Too many requests."""

    status, code = 429, "rate_limited"


class LockedOut(RateLimited):
    """Too many failed attempts to log in."""

    code = "locked_out"


class Unavailable(PlatformError):
    """A part of the platform that this needs does not answer."""

    status, code = 503, "unavailable"


class Overloaded(Unavailable):
    """The platform has more work than it can take now."""

    code = "overloaded"


class UpstreamTimeout(Unavailable):
    """A part of the platform that this needs did not answer in time."""

    status, code = 504, "upstream_timeout"


def tree(root: type[PlatformError] = PlatformError) -> Iterator[type[PlatformError]]:
    """Every error class, depth first."""
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def _of_status(status: int) -> type[PlatformError]:
    """The most general error of a status; whatever else is the caller's fault is `Invalid`."""
    by_status = {error.status: error for error in reversed(list(tree()))}
    return by_status.get(status, Invalid if 400 <= status < 500 else PlatformError)


def from_problem(status: int, document: dict[str, Any]) -> PlatformError:
    """The error that a problem document stands for, so that a caller catches the class the callee raised."""
    # A service's own refinement of an error, without a code of its own, never leaves it.
    known = {error.code: error for error in tree() if "code" in vars(error)}
    kind = known.get(str(document.get("code", "")))
    return (kind or _of_status(status))(
        str(document.get("detail") or f"the service answered {status}"),
        errors=document.get("errors") or (),
        retry_after=document.get("retry_after"),
    )
