"""LangGraph with its PostgreSQL checkpointer: run trajectories, print what they take as JSON."""

import json
import sys
from typing import Any

TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


def main() -> None:
    """Read trajectories from standard input, run each in a thread of its own, say how many bytes it added."""
    import psycopg  # type: ignore[import-not-found]
    from langgraph.checkpoint.postgres import PostgresSaver  # type: ignore[import-not-found]

    task = json.load(sys.stdin)
    grown: dict[str, float] = {}
    with (
        PostgresSaver.from_conn_string(task["database"]) as saver,
        psycopg.connect(task["database"], autocommit=True) as connection,
    ):
        saver.setup()
        for name, trajectory in task["trajectories"].items():
            before = size(connection)
            run(saver, name, trajectory)
            grown[name] = (size(connection) - before) / len(trajectory["turns"])
    sys.stdout.write("\nFIGURES " + json.dumps(grown) + "\n")


def size(connection: Any) -> int:
    """Bytes of the checkpointer's tables with their indexes and long values."""
    connection.execute("CHECKPOINT")
    query = "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) AS name"
    return int(connection.execute(query, (list(TABLES),)).fetchone()[0])


def run(saver: Any, thread: str, trajectory: dict[str, Any]) -> None:
    """The usual loop of a model and a tool, both of which answer what the trajectory says."""
    from langchain_core.messages import (  # type: ignore[import-not-found]
        AIMessage,
        HumanMessage,
        SystemMessage,
        ToolMessage,
    )
    from langgraph.graph import END, START, MessagesState, StateGraph  # type: ignore[import-not-found]

    turns = trajectory["turns"]

    def model(state: Any) -> Any:
        number = sum(isinstance(each, ToolMessage) for each in state["messages"])
        turn = turns[number]
        call = {"name": turn["tool"], "args": turn["arguments"], "id": turn["call_id"]}
        return {"messages": [AIMessage(content=turn["thought"], tool_calls=[call])]}

    def tool(state: Any) -> Any:
        number = sum(isinstance(each, ToolMessage) for each in state["messages"])
        turn = turns[number]
        return {"messages": [ToolMessage(content=turn["result"], tool_call_id=turn["call_id"])]}

    def onward(state: Any) -> str:
        return (
            END if sum(isinstance(each, ToolMessage) for each in state["messages"]) == len(turns) else "model"
        )

    graph = StateGraph(MessagesState)
    graph.add_node("model", model)
    graph.add_node("tool", tool)
    graph.add_edge(START, "model")
    graph.add_edge("model", "tool")
    graph.add_conditional_edges("tool", onward)
    first = [SystemMessage(content=trajectory["system"]), HumanMessage(content=trajectory["task"])]
    graph.compile(checkpointer=saver).invoke(
        {"messages": first},
        {"configurable": {"thread_id": thread}, "recursion_limit": 2 * len(turns) + 10},
    )


if __name__ == "__main__":
    main()
