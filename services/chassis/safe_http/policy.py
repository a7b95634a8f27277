"""What the installation permits beyond public addresses, read from its settings."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from urllib.parse import urlsplit

from services.chassis.safe_http.addresses import Address, Network, never_permitted, why_not_public
from services.chassis.settings import PlatformSettings


@dataclass(frozen=True)
class Permit:
    """One entry of the allow-list: a name or a network, perhaps one port of it only."""

    name: str | None
    network: Network | None
    port: int | None

    def covers(self, host: str, port: int, address: Address) -> bool:
        """Whether the entry speaks of this connection."""
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return address.version == self.network.version and address in self.network
        return host == self.name


@dataclass(frozen=True)
class EgressPolicy:
    """Which connections to addresses that users name are allowed."""

    permits: tuple[Permit, ...] = ()
    ports: frozenset[int] = frozenset({80, 443, 8443})
    """Ports of public hosts; empty allows any."""
    plain_http: bool = False
    platform_ports: frozenset[int] = frozenset()
    """Never reached on an address that is not public, whatever is permitted."""

    @classmethod
    def of(cls, settings: PlatformSettings, ports: Iterable[int]) -> "EgressPolicy":
        """The policy that the settings describe; `ports` are the documented ones of the platform's parts."""
        return cls(
            permits=tuple(parse_permit(entry) for entry in _entries(settings.egress_private_allow)),
            ports=_ports(settings.egress_ports),
            plain_http=settings.egress_plain_http,
            platform_ports=frozenset(port + settings.port_base for port in ports) | _store_ports(settings),
        )

    def refusal(self, scheme: str, host: str, port: int, address: Address) -> str | None:
        """Why this connection may not be made; null when it may."""
        private = why_not_public(address)
        permitted = private is not None and self._permits(host, port, address)
        if private is not None and not permitted:
            return f"{address} is {private}"
        if permitted and port in self.platform_ports:
            return f"port {port} belongs to the platform"
        if permitted:
            return None
        if scheme == "http" and not self.plain_http:
            return "it must be https"
        if self.ports and port not in self.ports:
            allowed = ", ".join(map(str, sorted(self.ports)))
            return f"port {port} is not one of {allowed}"
        return None

    def _permits(self, host: str, port: int, address: Address) -> bool:
        if never_permitted(address):
            return False
        return any(permit.covers(host, port, address) for permit in self.permits)


def parse_permit(entry: str) -> Permit:
    """An entry as written: `10.1.0.0/16`, `127.0.0.1:9000`, `[::1]:9000`, `mcp.internal`."""
    text, port = entry, None
    head, colon, tail = entry.rpartition(":")
    if colon and tail.isdigit() and (":" not in head or head.endswith("]")):
        text, port = head, int(tail)
    text = text.removeprefix("[").removesuffix("]").rstrip(".").lower()
    try:
        return Permit(None, ip_network(text, strict=False), port)
    except ValueError as error:
        if "/" in text or ":" in text or not text:
            raise ValueError(f"AGENTPLANE_EGRESS_PRIVATE_ALLOW: {entry} is no host and no network") from error
        return Permit(text, None, port)


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _ports(text: str) -> frozenset[int]:
    return frozenset() if text.strip() == "any" else frozenset(int(entry) for entry in _entries(text))


def _store_ports(settings: PlatformSettings) -> frozenset[int]:
    urls = (
        settings.database_owner_url,
        settings.database_app_url,
        settings.database_system_url,
        settings.redis_url,
        settings.nats_url,
    )
    return frozenset(port for url in urls if url and (port := urlsplit(url).port))
