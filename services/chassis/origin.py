"""
A server that is asked again and again: its address, and the connections to it that are kept open.

What `aiohttp`'s client does for one call takes 0.2 ms, a third of what the recording boundary may add to a
call; this does what the boundary needs and nothing else: HTTP/1.1, no redirects, no cookies, no decoding, no
proxies. Only a GET is ever sent twice: any other request that was written may have been carried out.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from aiohappyeyeballs import start_connection

from services.chassis.exchange import Answered, Broken, Connection, TooSlow

# How often it is looked whether a server takes too long.
LOOKS_A_TIMEOUT = 10
MOST_LOOK_SECONDS = 1.0
# What an address may hold besides letters and digits, as it came or quoted before.
_PATH = "/%:@!$&'()*+,;=~-._"
Field = tuple[str, str]


class Origin:
    """
    One server by its base URL.

    `silence_seconds` is the longest pause in an answer, `whole_seconds` the most for all of it.
    """

    def __init__(
        self,
        url: str,
        connect_seconds: float,
        silence_seconds: float,
        whole_seconds: float,
        kept_seconds: float = 30,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"{url!r} is not the address of a server, as https://example.com/v1")
        self.host = parts.hostname
        self._secure = parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        self._path = quote(parts.path.rstrip("/"), safe=_PATH)
        named = parts.netloc.rpartition("@")[2]
        self._named = named if named.isascii() else named.encode("idna").decode()
        self._connect_seconds = connect_seconds
        self._silence_seconds = silence_seconds
        self._whole_seconds = whole_seconds
        self._kept_seconds = kept_seconds
        self._kept: deque[Connection] = deque()
        self._all: set[Connection] = set()
        self._looking: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None

    async def ask(self, method: str, path: str, fields: Sequence[Field], body: bytes = b"") -> Answered:
        """
        The answer once its head has come; `path` is added to the base URL's own.

        Raises `Broken`, another `OSError`, or of those `TimeoutError`; `ValueError` for a field that no head
        can hold.
        """
        head = self._head(method, path, fields, body)
        kept = self._waiting()
        try:
            return await self._answered(kept or await self._connect(), head, body)
        except Broken:
            if kept is None or method != "GET":
                raise
        # The server may have closed it while the question was on its way; to ask twice changes nothing.
        return await self._answered(await self._connect(), head, body)

    def close(self) -> None:
        """Close every connection."""
        for connection in list(self._all):
            connection.abort()
        self._kept.clear()
        self._all.clear()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _answered(self, connection: Connection, head: bytes, body: bytes) -> Answered:
        answer = connection.ask(head, body)
        self._look_later()
        return await answer.head()

    def _head(self, method: str, path: str, fields: Sequence[Field], body: bytes) -> bytes:
        lines = [f"{method} {self._path}{path} HTTP/1.1", f"Host: {self._named}"]
        lines += [f"{name}: {value}" for name, value in fields]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([*lines, "\r\n"])
        if head.count("\n") != len(lines) + 1 or head.count("\r") != len(lines) + 1 or "\0" in head:
            raise ValueError("a field of a request's head holds a line break")
        return head.encode()

    def _waiting(self) -> Connection | None:
        """A kept connection, the one used last; those that were kept too long are closed."""
        while self._kept:
            connection = self._kept.pop()
            if connection.open and connection.loop.time() - connection.idle_since < self._kept_seconds:
                return connection
            self._drop(connection)
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        connection = Connection(loop, self._kept.append)
        try:
            async with asyncio.timeout(self._connect_seconds):
                found = await loop.getaddrinfo(self.host, self._port, type=socket.SOCK_STREAM)
                bound = await start_connection(found, happy_eyeballs_delay=0.25)
                try:
                    await loop.create_connection(
                        lambda: connection,
                        sock=bound,
                        ssl=self._context() if self._secure else None,
                        server_hostname=self.host if self._secure else None,
                    )
                except BaseException:
                    bound.close()
                    raise
        except TimeoutError as error:
            raise TooSlow(f"it took no connection in {self._connect_seconds:g} s") from error
        self._all.add(connection)
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def _look_later(self) -> None:
        if self._looking is None:
            shortest = min(self._silence_seconds, self._whole_seconds)
            seconds = min(MOST_LOOK_SECONDS, shortest / LOOKS_A_TIMEOUT)
            self._looking = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        """End exchanges that take too long, and close what nobody has used."""
        self._looking = None
        now = asyncio.get_running_loop().time()
        for connection in list(self._all):
            if connection.busy:
                if now - connection.silent_since > self._silence_seconds:
                    connection.abort(TooSlow(f"it was silent for {self._silence_seconds:g} s"))
                elif now - connection.asked_at > self._whole_seconds:
                    connection.abort(TooSlow(f"it took longer than {self._whole_seconds:g} s"))
            elif not connection.open or now - connection.idle_since > self._kept_seconds:
                self._drop(connection)
        if self._all:
            self._look_later()

    def _drop(self, connection: Connection) -> None:
        self._all.discard(connection)
        with contextlib.suppress(ValueError):
            self._kept.remove(connection)
        connection.abort()
