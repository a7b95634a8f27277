"""
The gateway's pooled HTTP sessions: one to agents, one to providers.

They are apart from the session between services, because a model call or an invocation may last for minutes
and must not take connections from them, and because providers' answers are passed on undecoded.
"""

import aiohttp


class Outbound:
    """A session, made when first used and closed with the service."""

    def __init__(
        self,
        connect_seconds: float,
        silence_seconds: float | None = None,
        whole_seconds: float | None = None,
    ) -> None:
        self._timeout = aiohttp.ClientTimeout(
            total=whole_seconds, sock_connect=connect_seconds, sock_read=silence_seconds
        )
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
