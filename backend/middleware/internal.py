"""Routes for other services, on the backend's own port: they ask for a service key, not for a user."""

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from services.chassis.auth import ServiceAuth

PREFIX = "/internal/"


class Internal:
    """Sends internal requests past the public edge, and only those with a service key on."""

    def __init__(self, app: ASGIApp, public: ASGIApp, accepted_keys: Mapping[str, str]) -> None:
        self._guarded = ServiceAuth(app, accepted_keys)
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Choose the way."""
        internal = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        await (self._guarded if internal else self._public)(scope, receive, send)
