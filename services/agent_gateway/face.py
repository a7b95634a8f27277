"""
The agents' face: what an agent reaches with its virtual key, as raw ASGI because every call passes here.

It finds whose key it is and which execution the call belongs to, and opens the door that answers the path
(`doors.py`). Every other path goes to the service's app behind it. Errors have the provider's shape, so that
stock SDKs understand them.
"""

from collections.abc import Sequence
from types import SimpleNamespace

from starlette.types import ASGIApp, Receive, Scope, Send

from services.agent_gateway.active import ActiveExecutions, NotYours, attribute
from services.agent_gateway.dialects.errors import errors_for
from services.agent_gateway.doors import Door
from services.agent_gateway.keys import Keys
from services.agent_gateway.records import Active, Holder
from services.agent_gateway.refusals import Refused
from services.agent_gateway.replies import Gone, Reply, TooBig
from services.chassis.errors import PlatformError

PREFIXES = ("/v1/", "/mcp", "/a2a/")


class Face:
    """Answers agents; knows them by their virtual keys."""

    def __init__(self, keys: Keys, active: ActiveExecutions, doors: Sequence[Door]) -> None:
        self._keys = keys
        self._active = active
        self._doors = doors

    def before(self, inner: ASGIApp) -> ASGIApp:
        """An app that answers agents itself and leaves the rest to the inner one."""

        async def front(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"].startswith(PREFIXES):
                await self._answer(scope, receive, send)
            else:
                await inner(scope, receive, send)

        return front

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        reply = Reply(send)
        errors = errors_for(scope["path"], headers)
        try:
            holder = await self._holder(headers)
            if holder is None:
                message = "The virtual key is unknown, revoked or expired."
                await reply.whole(401, errors.body(401, "invalid_api_key", message))
                return
            await self._open(scope, receive, headers, holder, reply)
        except NotYours as error:
            await reply.whole(403, errors.body(403, "policy_denied", str(error)))
        except TooBig as error:
            await reply.whole(413, errors.body(413, "request_too_large", str(error)))
        except Refused as refusal:
            body = errors.body(refusal.status, refusal.code, refusal.message, refusal.param)
            await reply.whole(refusal.status, body)
        except PlatformError as error:
            await reply.whole(error.status, errors.body(error.status, error.code, error.detail))
        except Gone:
            return

    async def _open(
        self, scope: Scope, receive: Receive, headers: dict[bytes, bytes], holder: Holder, reply: Reply
    ) -> None:
        method, path = scope["method"], scope["path"]
        for door in self._doors:
            route = door.route(method, path)
            if route is not None:
                scope["route"] = SimpleNamespace(path=route)
                await door.answer(scope, receive, holder, self._attributed(holder, headers), reply)
                return
        message = f"There is no {method} {path} here."
        await reply.whole(404, errors_for(path, headers).body(404, "not_found", message))

    def _attributed(self, holder: Holder, headers: dict[bytes, bytes]) -> Active | None:
        named = _text(headers, b"x-agentplane-execution-id")
        return attribute(holder, self._active, named, _text(headers, b"traceparent"))

    async def _holder(self, headers: dict[bytes, bytes]) -> Holder | None:
        given = headers.get(b"authorization", b"")
        key = given[7:] if given[:7].lower() == b"bearer " else headers.get(b"x-api-key", b"")
        return await self._keys.find(key.decode("latin-1").strip()) if key else None


def _text(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return value.decode("latin-1") if value else None
