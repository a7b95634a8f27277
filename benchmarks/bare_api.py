"""The comparator of `benchmarks.api`: FastAPI and asyncpg, with nothing around them."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel

from services.chassis.ids import new_id


class NewAgent(BaseModel):
    name: str
    docker_image: str
    cpu_limit: float
    memory_limit: str
    env_vars: dict[str, str]


class Agent(BaseModel):
    id: UUID
    name: str
    spec: dict[str, Any]
    version: int
    created_at: datetime


async def prepare(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
    )


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_SYSTEM_URL"], init=prepare, max_size=10) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/api/v1/agents/{agent_id}")
async def get_agent(agent_id: UUID, request: Request) -> Agent:
    row = await request.app.state.pool.fetchrow(
        "SELECT id, name, spec, version, created_at FROM agents WHERE id = $1", agent_id
    )
    if row is None:
        raise HTTPException(404)
    return Agent(**row)


@app.post("/api/v1/agents", status_code=201)
async def create_agent(new: NewAgent, request: Request) -> Agent:
    row = await request.app.state.pool.fetchrow(
        "INSERT INTO agents (org_id, id, name, spec, created_by) VALUES ($1, $2, $3, $4, 'bench')"
        " RETURNING id, name, spec, version, created_at",
        UUID(os.environ["BENCH_ORG"]),
        new_id(),
        new.name,
        new.model_dump(exclude={"name"}),
    )
    return Agent(**row)


if __name__ == "__main__":
    uvicorn.run(
        app, port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="warning", access_log=False
    )
