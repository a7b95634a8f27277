"""Redis as services see it: fast, shared and allowed to be empty; nothing is only there."""

from typing import TypeAlias

import redis.asyncio as redis
from redis.exceptions import RedisError

Cache: TypeAlias = redis.Redis
CacheError = RedisError


def open_cache(url: str) -> Cache:
    """A pooled client; it connects when first used, and waits for a connection when all are busy."""
    pool = redis.BlockingConnectionPool.from_url(
        url,
        decode_responses=True,
        max_connections=32,
        timeout=2,
        socket_timeout=2,
        socket_connect_timeout=1,
        health_check_interval=30,
    )
    return redis.Redis.from_pool(pool)
