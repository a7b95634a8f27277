"""The trivial agent of each peer, as the peer's own documentation writes it: one question to the model."""

QUESTION = "When is high tide?"

AGNO = """
import os
from agno.agent import Agent
from agno.db.postgres import AsyncPostgresDb
from agno.models.openai import OpenAIChat
from agno.os import AgentOS

kept = os.environ.get("BENCH_DATABASE")
agent = Agent(id="bench", name="bench", telemetry=False,
              db=AsyncPostgresDb(id="bench", db_url=kept) if kept else None,
              model=OpenAIChat(id="bench", base_url=os.environ["BENCH_MODEL"], api_key="none"))
agent_os = AgentOS(agents=[agent], telemetry=False)
app = agent_os.get_app()

if __name__ == "__main__":
    agent_os.serve(app=app, host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), log_level="warning")
"""

LANGGRAPH = """
import os
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph

model = ChatOpenAI(model="bench", base_url=os.environ["BENCH_MODEL"], api_key="none")


async def ask(state: MessagesState):
    return {"messages": [await model.ainvoke(state["messages"])]}


graph = StateGraph(MessagesState).add_node("ask", ask).add_edge(START, "ask").add_edge("ask", END).compile()
"""

# The counterpart: a warm HTTP agent in 40 lines, raw, as an agent that is called often would be written.
OURS = """
import json
import os

import aiohttp
import uvicorn

URL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
KEY = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
session = None


async def app(scope, receive, send):
    global session
    given = b""
    while True:
        message = await receive()
        given += message["body"]
        if not message.get("more_body"):
            break
    if scope["path"] != "/invoke":
        return await answer(send, {"status": "Healthy"})
    session = session or aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    asked = {"model": "bench", "messages": [{"role": "user", "content": json.loads(given)["input"]}]}
    execution = dict(scope["headers"])[b"x-agentplane-execution-id"].decode()
    named = {"X-AgentPlane-Execution-Id": execution}
    async with session.post(URL, json=asked, headers=KEY | named) as reply:
        said = await reply.json()
    await answer(send, {"output": said["choices"][0]["message"]["content"]})


async def answer(send, document):
    body = json.dumps(document).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


uvicorn.run(app, port=int(os.environ["PORT"]), log_level="warning", access_log=False, lifespan="off")
"""
