"""
An HTTP session that connects only where the guard allows.

Three gates, one after the other: the URL before the request, every address of its name when the connector
resolves it, and the socket itself when it is made, which sees the address that is really connected to.
"""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from services.chassis.errors import Unavailable, UnsafeUrl, UpstreamTimeout
from services.chassis.safe_http.addresses import parse_address
from services.chassis.safe_http.guard import EgressGuard, Target

MIB = 1024 * 1024

# What the connection being made is for; the socket's gate refuses any that is for nothing.
_TARGET: ContextVar[Target | None] = ContextVar("egress_target", default=None)


@dataclass(frozen=True)
class Answer:
    """What a host answered, as far as it was read."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool


class SafeSession:
    """A pooled session for calls to URLs that users name."""

    def __init__(
        self,
        guard: EgressGuard,
        *,
        connect_seconds: float = 5,
        total_seconds: float | None = 15,
        silence_seconds: float | None = None,
        most_connections: int = 100,
    ) -> None:
        self._guard = guard
        self._timeout = aiohttp.ClientTimeout(
            total=total_seconds, connect=connect_seconds, sock_read=silence_seconds
        )
        self._most_connections = most_connections
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        timeout: aiohttp.ClientTimeout | None = None,  # noqa: ASYNC109 - aiohttp's own kind, with its phases
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response, undecoded, its body still to be read; redirects are not followed."""
        target = self._guard.parse(url)
        assert target.url is not None
        token = _TARGET.set(target)
        try:
            response = await self._opened().request(
                method,
                target.url,
                headers={"Accept-Encoding": "identity", **(headers or {})},
                data=data,
                allow_redirects=False,
                timeout=timeout or self._timeout,
            )
        except TimeoutError as error:
            raise UpstreamTimeout(f"{target.host} did not answer in time") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(f"{target.host} does not answer: {type(error).__name__}") from error
        finally:
            _TARGET.reset(token)
        async with response:
            yield response

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        most_bytes: int = MIB,
    ) -> Answer:
        """The whole answer, cut after `most_bytes`."""
        async with self.request(method, url, headers=headers, data=body) as response:
            try:
                content, truncated = await _read(response, most_bytes)
            except TimeoutError as error:
                raise UpstreamTimeout(f"{response.url.host} did not finish its answer in time") from error
            except (aiohttp.ClientError, OSError) as error:
                raise Unavailable(f"{response.url.host} broke off its answer") from error
            return Answer(response.status, response.headers.copy(), content, truncated)

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=_Resolver(self._guard),
                    use_dns_cache=False,
                    socket_factory=self._socket,
                    limit=self._most_connections,
                    keepalive_timeout=15,
                ),
                timeout=self._timeout,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "AgentPlane"},
                trust_env=False,
            )
        return self._session

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for the address that is about to be connected to, if that one is allowed."""
        family, kind, protocol, _, where = info
        target, address = _TARGET.get(), parse_address(str(where[0]))
        if target is None or address is None or where[1] != target.port:
            raise UnsafeUrl(f"{where[0]} may not be called: nobody asked for it")
        self._guard.judge(target, address)
        return socket.socket(family, kind, protocol)


class _Resolver(AbstractResolver):
    """Gives the connector what the guard allows, and nothing it would resolve again."""

    def __init__(self, guard: EgressGuard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        target = _TARGET.get()
        if target is None or target.host != host.rstrip(".").lower() or target.port != port:
            raise UnsafeUrl(f"{host} may not be called: nobody asked for it")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in await self._guard.resolve(target)
        ]

    async def close(self) -> None:
        """Nothing is held."""


async def _read(response: aiohttp.ClientResponse, most: int) -> tuple[bytes, bool]:
    """The body, cut after so many bytes, and whether it was."""
    parts, size = [], 0
    async for chunk in response.content.iter_any():
        parts.append(chunk)
        size += len(chunk)
        if size > most:
            # What is left unread must not be read into the pool.
            response.close()
            return b"".join(parts)[:most], True
    return b"".join(parts), False
