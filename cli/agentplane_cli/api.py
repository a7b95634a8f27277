"""The REST API as commands use it: JSON in and out, pages, event streams, a session that renews itself."""

from __future__ import annotations

import contextlib
import json
import platform
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from agentplane_cli.config_file import ConfigFile
from agentplane_cli.failure import Exit
from agentplane_cli.problem import Explained, refused, unreachable

if TYPE_CHECKING:
    import httpx

PREFIX = "/api/v1"
TIMEOUT_SECONDS = 30.0
# A token this close to its end is renewed first, so that it does not end on the way.
RENEW_BEFORE_SECONDS = 20.0


class Api:
    """One AgentPlane, spoken to with an API key or the session of the last login."""

    def __init__(self, url: str, api_key: str | None, config: ConfigFile) -> None:
        import httpx  # takes longer to import than `--version` may take in all

        self.url = url
        self._api_key = api_key
        self._config = config
        # By which a person tells this machine's sessions from a browser's.
        machine = platform.node().encode("ascii", "replace").decode()
        agent = {"User-Agent": f"agentplane-cli ({machine})"}
        self._http = httpx.Client(base_url=url + PREFIX, timeout=TIMEOUT_SECONDS, headers=agent)

    def get(self, path: str, *, timeout: float = TIMEOUT_SECONDS, **query: Any) -> Any:
        """The document at a path."""
        return _json(self._send("GET", path, query=query, timeout=timeout))

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        """The answer to a document."""
        return _json(self._send("POST", path, body=body, query=query))

    def post_once(self, path: str, body: Any, key: str) -> Any:
        """The answer to a document that counts once, however often it is sent with this key."""
        return _json(self._send("POST", path, body=body, headers={"Idempotency-Key": key}))

    def upload(self, path: str, content: bytes, kind: str) -> Any:
        """The answer to bytes."""
        return _json(self._send("POST", path, content=content, headers={"Content-Type": kind}, timeout=300))

    def patch(self, path: str, body: Any, *, if_match: str | None = None) -> Any:
        """The answer to a PATCH; `if_match` is the ETag of what was read, where the API asks for it."""
        headers = {"If-Match": if_match} if if_match else {}
        return _json(self._send("PATCH", path, body=body, headers=headers))

    def put(self, path: str, body: Any, *, if_match: str | None = None, **query: Any) -> Any:
        """The answer to a document that takes the place of what is there; `if_match` as for `patch`."""
        headers = {"If-Match": if_match} if if_match else {}
        return _json(self._send("PUT", path, body=body, headers=headers, query=query))

    def post_unknown(self, path: str, body: Any) -> Any:
        """The answer to a document of somebody who is not logged in."""
        return _json(self._exchange(self._http.build_request("POST", path, json=body)))

    def delete(self, path: str, **query: Any) -> None:
        """Remove what is at a path."""
        self._send("DELETE", path, query=query)

    def lines(self, path: str, **query: Any) -> Iterator[str]:
        """A long answer, line by line as it comes."""
        import httpx

        try:
            response = self._http.send(self._request("GET", path, query=query, timeout=60), stream=True)
            with contextlib.closing(response):
                if response.is_error:
                    response.read()
                    raise refused(response)
                yield from response.iter_lines()
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error

    def pages(self, path: str, limit: int, **query: Any) -> list[dict[str, Any]]:
        """The first `limit` items of a list."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while len(items) < limit:
            page = self.get(path, limit=min(limit - len(items), 100), cursor=cursor, **query)
            items.extend(page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                break
        return items

    def events(self, path: str, **query: Any) -> Iterator[tuple[str, Any]]:
        """Events of a stream as (type, data), taken up again where the connection broke."""
        import httpx

        last_id, tries = "", 0
        while True:
            headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
            try:
                request = self._request("GET", path, query=query, headers=headers, timeout=60)
                response = self._http.send(request, stream=True)
                if response.is_error:
                    response.read()
                    raise refused(response)
                for identity, kind, data in _events(response):
                    last_id, tries = identity or last_id, 0
                    yield kind, json.loads(data)
                return
            except httpx.TransportError as error:
                tries += 1
                if tries > 5:
                    raise unreachable(self.url, error) from error
                time.sleep(0.5 * tries)

    def log_in(self, email: str, password: str, organisation: str | None) -> None:
        """Start a session and keep it."""
        from agentplane_cli.config_file import Session

        body = {"email": email, "password": password, "client": "cli", "organisation": organisation}
        answer = _json(self._exchange(self._http.build_request("POST", "/auth/login", json=body)))
        with self._config.changed() as config:
            config.url = self.url
            config.sessions[self.url] = Session(
                email, answer["refresh_token"], answer["access_token"], time.time() + answer["expires_in"]
            )

    def switch(self, organisation: str) -> None:
        """Let the session act for another organisation."""
        answer = self.post("/auth/switch", {"organisation": organisation})
        with self._config.changed() as config:
            session = config.sessions[self.url]
            session.access_token = answer["access_token"]
            session.expires_at = time.time() + answer["expires_in"]

    def renew_soon(self) -> None:
        """Get a new access token before the next request, for the present one is worth nothing any more."""
        with self._config.changed() as config:
            if self.url in config.sessions:
                config.sessions[self.url].expires_at = 0.0

    def log_out(self) -> bool:
        """End the session; False when there was none."""
        with self._config.changed() as config:
            session = config.sessions.pop(self.url, None)
        if session is not None:
            body = {"refresh_token": session.refresh_token}
            self._exchange(self._http.build_request("POST", "/auth/logout", json=body))
        return session is not None

    def _send(self, method: str, path: str, **parts: Any) -> httpx.Response:
        return self._exchange(self._request(method, path, **parts))

    def _request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content: bytes | None = None,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> httpx.Request:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        everything = {"Authorization": f"Bearer {self._credential()}", **(headers or {})}
        return self._http.build_request(
            method, path, json=body, content=content, params=given, headers=everything, timeout=timeout
        )

    def _exchange(self, request: httpx.Request) -> httpx.Response:
        import httpx

        try:
            response = self._http.send(request)
        except httpx.TimeoutException as error:
            raise Explained(
                f"{self.url} did not answer in time", Exit.TIMEOUT, cause=type(error).__name__
            ) from error
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        if response.is_error:
            raise refused(response)
        return response

    def _credential(self) -> str:
        if self._api_key:
            return self._api_key
        session = self._config.read().sessions.get(self.url)
        if session is None:
            raise Explained(
                f"you are not logged in at {self.url}",
                Exit.AUTH,
                hint="agentplane login, or set AGENTPLANE_API_KEY",
            )
        if session.expires_at - time.time() > RENEW_BEFORE_SECONDS:
            return session.access_token
        return self._renewed()

    def _renewed(self) -> str:
        with self._config.changed() as config:
            session = config.sessions[self.url]
            # Another command may have renewed it while this one waited for the lock.
            if session.expires_at - time.time() <= RENEW_BEFORE_SECONDS:
                body = {"refresh_token": session.refresh_token}
                answer = _json(self._exchange(self._http.build_request("POST", "/auth/refresh", json=body)))
                session.refresh_token = answer["refresh_token"]
                session.access_token = answer["access_token"]
                session.expires_at = time.time() + answer["expires_in"]
        return session.access_token


def _json(response: httpx.Response) -> Any:
    return response.json() if response.content else None


def _events(response: httpx.Response) -> Iterator[tuple[str, str, str]]:
    identity, kind, data = "", "message", ""
    for line in response.iter_lines():
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield identity, kind, data
            kind, data = "message", ""
        elif name == "id":
            identity = value
        elif name == "event":
            kind = value
        elif name == "data":
            data += value
