"""Reading a proxy request: `CONNECT host:port`, or a request line with an absolute http URL."""

import base64
import binascii
from dataclasses import dataclass

MOST_HEAD = 32 * 1024
_HOP_BY_HOP = {b"proxy-authorization", b"proxy-connection", b"connection", b"keep-alive"}


class BadRequest(Exception):
    """What came is no proxy request."""


@dataclass(frozen=True)
class ProxyRequest:
    """Where an agent wants to go; `head` is what goes to the host first, empty for a tunnel."""

    method: str
    host: str
    port: int
    key: str | None
    head: bytes = b""

    @property
    def tunnel(self) -> bool:
        """Whether the raw connection was asked for."""
        return self.method == "CONNECT"


def parse(head: bytes) -> ProxyRequest:
    """The request that a head asks for; raises `BadRequest` with the reason."""
    line, *fields = head.rstrip(b"\r\n").split(b"\r\n")
    parts = line.split(b" ")
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
        raise BadRequest("the request line has not the form METHOD TARGET HTTP/1.1")
    method, target, version = parts
    headers = [_field(field) for field in fields]
    key = _key_of(next((value for name, value in headers if name == b"proxy-authorization"), b""))
    if method == b"CONNECT":
        host, port = _host_and_port(target, None)
        return ProxyRequest("CONNECT", host, port, key)
    if not target.lower().startswith(b"http://"):
        raise BadRequest("a proxy takes CONNECT, or a URL that begins with http://")
    authority, slash, rest = target[len(b"http://") :].partition(b"/")
    host, port = _host_and_port(authority, 80)
    kept = [name + b": " + value for name, value in headers if name not in _HOP_BY_HOP]
    sent = [b" ".join([method, slash + rest if slash else b"/", version]), *kept, b"connection: close"]
    shown = method.decode("ascii", "replace")
    return ProxyRequest(shown, host, port, key, b"\r\n".join(sent) + b"\r\n\r\n")


def _field(field: bytes) -> tuple[bytes, bytes]:
    name, colon, value = field.partition(b":")
    # A name with white space around it is how requests are smuggled past a proxy (RFC 9112 §5.1).
    if not colon or not name or name != name.strip() or b" " in name or b"\x00" in field or b"\n" in field:
        raise BadRequest("a header line has not the form Name: value")
    return name.lower(), value.strip()


def _host_and_port(authority: bytes, default: int | None) -> tuple[str, int]:
    try:
        text = authority.decode("ascii").lower()
    except UnicodeDecodeError:
        raise BadRequest("the host is not written in ASCII") from None
    host, colon, port = text.rpartition(":")
    if text.startswith("[") and text.endswith("]"):
        host, colon, port = text, "", ""
    elif not colon:
        host = text
    host = host.removeprefix("[").removesuffix("]")
    if not colon and default is not None:
        return _checked(host), default
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise BadRequest("the target has not the form host:port")
    return _checked(host), int(port)


def _checked(host: str) -> str:
    if not host or len(host) > 253 or any(char in host for char in "@/\\%?# \t"):
        raise BadRequest("the target names no host")
    return host.rstrip(".")


def _key_of(value: bytes) -> str | None:
    kind, _, given = value.partition(b" ")
    if kind.lower() == b"bearer":
        return given.strip().decode("latin-1") or None
    if kind.lower() != b"basic":
        return None
    try:
        user, _, password = base64.b64decode(given.strip(), validate=True).decode("latin-1").partition(":")
    except (binascii.Error, ValueError):
        return None
    return password or user or None
