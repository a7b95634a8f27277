"""The decision whether a URL may be called, and the addresses it may be called at."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from yarl import URL

from services.chassis.errors import Unavailable, UnsafeUrl, UpstreamTimeout
from services.chassis.safe_http.addresses import Address, parse_address
from services.chassis.safe_http.policy import EgressPolicy

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Resolves a name: the addresses it has, as text."""

MOST_URL_CHARACTERS = 2048
MOST_ADDRESSES = 32
LOOKUP_THREADS = 8

# A host whose last label is a number is an IPv4 address to some parsers (WHATWG URL, "ends in a number").
_NUMERIC = re.compile(r"^(\d+|0x[0-9a-f]*)$")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
# What is left once a parser has encoded a name; some names of private networks hold underscores.
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


@dataclass(frozen=True)
class Target:
    """A URL that was parsed once; whoever calls it uses this form and parses no more."""

    scheme: str
    host: str
    port: int
    url: URL | None = None


class EgressGuard:
    """Judges URLs and resolves their names, once for each connection."""

    def __init__(self, policy: EgressPolicy, lookup: Lookup | None = None) -> None:
        self._policy = policy
        self._lookup = lookup or self._getaddrinfo
        self._threads: ThreadPoolExecutor | None = None

    def parse(self, url: str) -> Target:
        """The URL's parts; `UnsafeUrl` for a form that is not allowed. Names are not resolved here."""
        if len(url) > MOST_URL_CHARACTERS or _FORBIDDEN.search(url):
            raise UnsafeUrl("the URL is too long or holds spaces, control characters or backslashes")
        try:
            parsed = URL(url)
            host, port = (parsed.raw_host or "").rstrip(".").lower(), parsed.port
        except ValueError as error:
            raise UnsafeUrl("the URL cannot be parsed") from error
        if parsed.scheme not in ("https", "http"):
            raise UnsafeUrl("the URL must begin with https://")
        if parsed.raw_user is not None or parsed.raw_password is not None:
            raise UnsafeUrl(f"{host} may not be called: the URL may hold no user name and no password")
        target = self.target(host, port or 0, parsed.scheme)
        return Target(target.scheme, target.host, target.port, parsed.with_fragment(None))

    def target(self, host: str, port: int, scheme: str = "tcp") -> Target:
        """A host and port that were not part of a URL, checked as far as can be without resolving."""
        host = host.rstrip(".").lower()
        address = parse_address(host)
        if not 0 < port < 65536 or not (address or _NAME.fullmatch(host)):
            raise UnsafeUrl(f"{host or 'the address'} may not be called: it is no host and port")
        if address is None and _NUMERIC.match(host.rpartition(".")[2]):
            raise UnsafeUrl(f"{host} may not be called: an address must be written in its usual form")
        if address is not None:
            self.judge(Target(scheme, host, port), address)
        return Target(scheme, host, port)

    def judge(self, target: Target, address: Address) -> None:
        """Raise `UnsafeUrl` unless the target may be reached at this address."""
        why = self._policy.refusal(target.scheme, target.host, target.port, address)
        if why is not None:
            raise UnsafeUrl(f"{target.host} may not be called: {why}")

    async def resolve(self, target: Target) -> list[str]:
        """The target's addresses, each of them allowed; one bad address spoils the name."""
        literal = parse_address(target.host)
        found = [target.host] if literal else list(await self._lookup(target.host, target.port))
        if not found:
            raise Unavailable(f"{target.host} does not resolve to an address")
        for text in found[:MOST_ADDRESSES]:
            address = parse_address(text)
            if address is None:
                raise UnsafeUrl(f"{target.host} may not be called: it resolves to a scoped address")
            self.judge(target, address)
        return found[:MOST_ADDRESSES]

    async def check_url(self, url: str) -> Target:
        """Raise `UnsafeUrl`, naming the host and why, unless the URL may be called now."""
        target = self.parse(url)
        try:
            async with asyncio.timeout(5):
                await self.resolve(target)
        except (OSError, TimeoutError, Unavailable) as error:
            raise UnsafeUrl(f"{target.host} may not be called: it does not resolve to an address") from error
        return target

    async def open_connection(
        self, host: str, port: int, *, seconds: float = 5
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A TCP connection to one of the host's allowed addresses, for proxies that tunnel."""
        target = self.target(host, port)
        try:
            async with asyncio.timeout(seconds):
                return await _first_of(await self.resolve(target), target)
        except TimeoutError as error:
            raise UpstreamTimeout(f"{host}:{port} took no connection in {seconds} s") from error
        except OSError as error:
            raise Unavailable(f"{host}:{port} does not answer") from error

    def close(self) -> None:
        """Let go of the threads that resolve names."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    async def _getaddrinfo(self, host: str, port: int) -> Sequence[str]:
        """Ask the machine's resolver, in threads of its own, so that a stalled server delays nobody else."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(LOOKUP_THREADS, "egress-lookup")
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def _first_of(
    addresses: Sequence[str], target: Target
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the first address that takes one."""
    last: OSError | None = None
    for address in addresses:
        try:
            return await asyncio.open_connection(address, target.port)
        except OSError as error:
            last = error
    raise last or OSError(f"{target.host} has no address")
