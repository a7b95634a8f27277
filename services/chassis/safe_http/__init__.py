"""
Calls to addresses that users name: webhooks, MCP servers, federation peers, what agents fetch.

Every outbound call of that kind goes through here, so that nobody makes the platform call its own network
(server-side request forgery). A URL is parsed once, by the parser that will use it; its name is resolved
once; every address the name has must be public, and the connection goes to one of those very addresses, so a
name that changes between check and use (rebinding) changes nothing. Redirects are never followed, proxies of
the environment never used, cookies never kept.

A service takes the guard from its resources and holds one session:

    session = SafeSession(resources.egress)                       # in build; `await session.close()` in stop
    await resources.egress.check_url(url)                         # 422 unsafe_url names the host and why
    answer = await session.fetch("POST", url, headers=…, body=…)  # status, headers, at most `most_bytes`
    async with session.request("POST", url, data=…) as response:  # an aiohttp response, to stream
        async for chunk in response.content.iter_any(): …
    reader, writer = await resources.egress.open_connection(host, port)  # for a CONNECT proxy; pinned too

All of them raise `UnsafeUrl` for what may not be called, `Unavailable` where nobody answers and
`UpstreamTimeout` where the answer takes too long. An answer of any status, redirects too, is an answer.

A self-hoster permits private addresses on purpose with AGENTPLANE_EGRESS_PRIVATE_ALLOW (empty by default):
names, addresses or networks, comma separated, each with a port if wanted: `127.0.0.1:9000,10.1.0.0/16,
mcp.internal`. Plain http is allowed to those. Metadata addresses and the platform's own ports stay closed.

Read on in `addresses` (which are public), `policy` (what is permitted), `guard` (parse, resolve, decide) and
`session` (the pinned connection).
"""

from services.chassis.safe_http.guard import EgressGuard, Target
from services.chassis.safe_http.policy import EgressPolicy
from services.chassis.safe_http.session import Answer, SafeSession

__all__ = ["Answer", "EgressGuard", "EgressPolicy", "SafeSession", "Target"]
