"""A stock job: the mcp package, at the address the environment names; it remembers, and finds it again."""

import asyncio
import json
import os
import sys

from mcp import ClientSession
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client


async def main(text):
    headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    async with (
        create_mcp_http_client(headers=headers) as http,
        streamable_http_client(os.environ["AGENTPLANE_MCP_URL"], http_client=http) as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        await session.initialize()
        names = sorted(tool.name for tool in (await session.list_tools()).tools)
        pick = {name.split("__")[-1].split("/")[-1].split(".")[-1]: name for name in names}
        await session.call_tool(pick["remember"], {"content": text})
        found = await session.call_tool(pick["search"], {"query": text})
        return {"tools": names, "found": found.content[0].text}


print(json.dumps(asyncio.run(main(str(json.load(sys.stdin))))))
