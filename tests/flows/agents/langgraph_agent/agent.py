"""A stock LangGraph agent as a job: its prebuilt loop, two tools, the model as the environment says."""

import json
import sys
import warnings

warnings.simplefilter("ignore")

from langchain_openai import ChatOpenAI  # noqa: E402
from langgraph.prebuilt import create_react_agent  # noqa: E402


def weather(place: str) -> str:
    """The weather at a place."""
    return f"sunny in {place}"


def tide(place: str) -> str:
    """The tide at a place."""
    return f"high water in {place} at noon"


agent = create_react_agent(ChatOpenAI(model="gpt-4o-mini"), [weather, tide])
state = agent.invoke({"messages": [("user", str(json.load(sys.stdin)))]})
print(json.dumps({"answer": state["messages"][-1].content, "messages": len(state["messages"])}))
