"""The hosts a deploy lets its agent reach: `api.example.com`, `*.example.com`, each with a port if wanted."""

from collections.abc import Iterable

USUAL_PORTS = frozenset({80, 443})


def allows(entries: Iterable[str], host: str, port: int) -> bool:
    """Whether an entry names this host and port; without a port an entry means the usual ones of the web."""
    return any(_names(entry.lower(), host, port) for entry in entries)


def _names(entry: str, host: str, port: int) -> bool:
    name, colon, wanted = entry.rpartition(":")
    if not colon:
        name, ports = entry, USUAL_PORTS
    else:
        ports = frozenset({int(wanted)})
    if port not in ports:
        return False
    # A wildcard stands for any depth below the domain, and not for the domain itself.
    return host.endswith(name[1:]) and len(host) > len(name) - 1 if name.startswith("*.") else host == name
