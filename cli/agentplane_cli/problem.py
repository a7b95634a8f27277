"""What went wrong between the command and the API: error, cause, what to try, and the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentplane_cli.failure import Exit, Failure

if TYPE_CHECKING:
    import httpx

EXITS = {
    400: Exit.USAGE, 401: Exit.AUTH, 403: Exit.AUTH, 404: Exit.NOT_FOUND, 409: Exit.CONFLICT,
    412: Exit.CONFLICT, 413: Exit.USAGE, 422: Exit.USAGE, 428: Exit.CONFLICT, 429: Exit.UNAVAILABLE,
    502: Exit.UNAVAILABLE, 503: Exit.UNAVAILABLE, 504: Exit.TIMEOUT,
}  # fmt: skip

HINTS = {
    "unauthenticated": "agentplane login, or set AGENTPLANE_API_KEY",
    "token_expired": "agentplane login",
    "token_reused": "agentplane login",
    "bad_credentials": "check the e-mail address and the password",
    "locked_out": "wait 30 seconds",
    "forbidden": "a role or an API key with that permission; `agentplane whoami` shows yours",
    "rate_limited": "wait a little, then again",
    "unavailable": "agentplane services shows what does not answer",
    "runtime_unavailable": "agentplane brain shows what the nodes can run",
    "stale": "again; somebody changed it in the meantime",
}


class Explained(Failure):
    """A failure with its cause and what to try, on lines of their own."""

    def __init__(self, error: str, code: Exit, *, cause: str = "", hint: str = "") -> None:
        lines = [error]
        lines += [f"cause: {cause}"] if cause else []
        lines += [f"try: {hint}"] if hint else []
        super().__init__("\n".join(lines), code)


def refused(response: httpx.Response) -> Explained:
    """The failure that an answer stands for."""
    document = _document(response)
    code = str(document.get("code", ""))
    detail = str(document.get("detail") or f"the server answered {response.status_code}")
    fields = [f"{each.get('pointer')}: {each.get('message')}" for each in document.get("errors") or []]
    parts = [code or f"HTTP {response.status_code}", *(fields if len(fields) > 1 else [])]
    request_id = response.headers.get("x-request-id")
    if request_id:
        parts.append(f"request {request_id}")
    hint = HINTS.get(code, "")
    if wait := response.headers.get("retry-after"):
        hint = f"again in {wait} s"
    exit_code = EXITS.get(response.status_code, Exit.FAILED)
    return Explained(detail, exit_code, cause="; ".join(parts), hint=hint)


def unreachable(url: str, error: Exception) -> Explained:
    """Nobody answers at the address."""
    return Explained(
        f"{url} does not answer",
        Exit.UNAVAILABLE,
        cause=str(error) or type(error).__name__,
        hint="agentplane up starts a platform on this machine; --url names another",
    )


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
