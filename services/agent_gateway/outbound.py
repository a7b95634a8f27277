"""
The gateway's pooled HTTP session to agents.

It is apart from the session between services, because an invocation may last for minutes and must not take
connections from them. Providers have connections of their own (`services/chassis/origin.py`).
"""

import aiohttp


class Outbound:
    """A session, made when first used and closed with the service."""

    def __init__(self, connect_seconds: float) -> None:
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds)
        self._session: aiohttp.ClientSession | None = None

    def __call__(self) -> aiohttp.ClientSession:
        """The session."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                auto_decompress=False,
                headers={"User-Agent": "AgentPlane"},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None
