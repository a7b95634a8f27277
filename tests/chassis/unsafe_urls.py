"""
The corpus: URLs and names by which people have made servers call their own networks.

The forms follow OWASP's cheat sheet on server-side request forgery and PayloadsAllTheThings, with the forms
of IPv6 that carry an IPv4 address. `{port}` is the canary's.
"""

from pathlib import Path

HOSTS = [
    line
    for line in (Path(__file__).parent / "unsafe_hosts.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]

SHAPES = (
    "http://public.test@127.0.0.1:{port}/",
    "http://public.test:80@127.0.0.1:{port}/",
    "http://user:secret@public.test:{port}/",
    "http://@127.0.0.1:{port}/",
    "http://:@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@public.test/",
    "http://127.0.0.1:{port}?@public.test/",
    "http://127.0.0.1:{port}/@public.test/",
    "http://127.0.0.1:{port}\\@public.test/",
    "http://public.test\\@127.0.0.1:{port}/",
    "http://public.test%2f@127.0.0.1:{port}/",
    "http://public.test#@127.0.0.1:{port}\\",
    "http:\\\\127.0.0.1:{port}\\",
    "http:/127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}/",
    " http://127.0.0.1:{port}/",
    "http://127.0.0.1:{port} /",
    "http://127.0.0.1\t:{port}/",
    "http://127.0.0.1\n:{port}/",
    "http://127.0.0.1:{port}\r\nHost: public.test",
    "http://127.0.0.1\x00.public.test:{port}/",
    "http://127.0.0.1%00.public.test:{port}/",
    "http://127.0.0.1%2epublic.test:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://[::1]:{port}:80/",
    "http://[::1:{port}/",
    "http://::1:{port}/",
    "http://[127.0.0.1]:{port}/",
    "http://127.0.0.1:0{port}/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:-1/",
    "http://127.0.0.1:{port}abc/",
    "http://127.0.0.1:{port}:{port}/",
    "HTTP://127.0.0.1:{port}/",
    "hTTp://0x7F.1:{port}/",
    "http://",
    "http://:{port}/",
    "http://.:{port}/",
    "http://..:{port}/",
    "",
    "https://" + "a" * 3000 + ".test/",
    "gopher://127.0.0.1:{port}/_GET%20/",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "ftp://127.0.0.1:{port}/",
    "dict://127.0.0.1:{port}/stat",
    "ldap://127.0.0.1:{port}/",
    "sftp://127.0.0.1:{port}/",
    "tftp://127.0.0.1:{port}/x",
    "jar:http://127.0.0.1:{port}!/",
    "netdoc:///etc/passwd",
    "data:text/plain,hello",
    "javascript:alert(1)",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
    "ws://127.0.0.1:{port}/",
    "wss://127.0.0.1:{port}/",
    "view-source:http://127.0.0.1:{port}/",
    "url:http://127.0.0.1:{port}/",
)

# Names of the test's name server that lead inside, each with what it resolves to.
NAMES = {
    f"name-{number}.test": addresses
    for number, addresses in enumerate(
        (
            ["127.0.0.1"],
            ["127.0.0.3"],
            ["::1"],
            ["127.0.0.2", "127.0.0.1"],
            ["127.0.0.1", "127.0.0.2"],
            ["127.0.0.2", "::1"],
            ["::ffff:127.0.0.1"],
            ["64:ff9b::7f00:1"],
            ["2002:7f00:1::1"],
            ["2001:0:4136:e378:8000:63bf:80ff:fffe"],
            ["0.0.0.0"],
            ["::"],
            ["10.0.0.1"],
            ["172.20.0.1"],
            ["192.168.1.1"],
            ["169.254.169.254"],
            ["127.0.0.2", "169.254.169.254"],
            ["fd00:ec2::254"],
            ["fe80::1"],
            ["100.100.100.200"],
            ["168.63.129.16"],
            ["224.0.0.1"],
            ["255.255.255.255"],
        )
    )
}


def urls(port: int) -> list[str]:
    """Every URL of the corpus; each leads inside or is no URL that may be called."""
    return [
        *(f"http://{host}:{port}/" for host in HOSTS),
        *(f"https://{host}:{port}/hook" for host in HOSTS[::8]),
        *(shape.replace("{port}", str(port)) for shape in SHAPES),
        *(f"http://{name}:{port}/" for name in NAMES),
    ]
