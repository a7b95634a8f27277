"""
Live state in Redis: merged by sequence inside the server, many events in one round trip.

A marker key says that Redis holds everything; it vanishes with a flush, and then all is written again.
Redis 6 or newer; after the pattern of one script per change, since several replicas may project at once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.chassis.cache import Cache
from services.chassis.ids import new_id
from services.contracts.live import FeedEntry, agents_key, feed_key
from services.event_processor.projection import AgentHalf

FEED_LENGTH = 200
COMPLETE = "live:complete"
_BUILDING = "live:building"
_GONE_SECONDS = 7 * 24 * 3600

# KEYS: agents, gone.  ARGV: the half, and how long a deletion is remembered.
_MERGE_AGENT = """
local change = cjson.decode(ARGV[1])
local id = change.agent_id
if change.kind == 'gone' then
  redis.call('HDEL', KEYS[1], id)
  redis.call('SADD', KEYS[2], id)
  redis.call('EXPIRE', KEYS[2], ARGV[2])
  return 1
end
if redis.call('SISMEMBER', KEYS[2], id) == 1 then return 0 end
local known = redis.call('HGET', KEYS[1], id)
local agent = known and cjson.decode(known) or
  {agent_id = id, name = '', state = 'pending', reason = cjson.null, desired_replicas = 0,
   ready_replicas = 0, seq = 0, wanted_seq = 0, seen_seq = 0}
local field = change.kind .. '_seq'
if change.seq < agent[field] then return 0 end
for name, value in pairs(change.fields) do agent[name] = value end
agent[field] = change.seq
agent.seq = math.max(agent.wanted_seq, agent.seen_seq)
redis.call('HSET', KEYS[1], id, cjson.encode(agent))
return 1
"""

# KEYS: feed.  ARGV: the length of the feed, then each entry with its sequence.
_ADD_TO_FEED = """
local function add(new, seq)
  local older
  for _, entry in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
    local at = cjson.decode(entry).seq
    if at == seq then return end
    if at < seq then older = entry break end
  end
  if older then redis.call('LINSERT', KEYS[1], 'BEFORE', older, new)
  else redis.call('RPUSH', KEYS[1], new) end
end
local head = redis.call('LINDEX', KEYS[1], 0)
local newest = head and cjson.decode(head).seq or -1
for at = 2, #ARGV, 2 do
  local seq = tonumber(ARGV[at + 1])
  if seq > newest then
    redis.call('LPUSH', KEYS[1], ARGV[at])
    newest = seq
  else
    add(ARGV[at], seq)
  end
end
redis.call('LTRIM', KEYS[1], 0, ARGV[1] - 1)
return 1
"""


@dataclass(frozen=True)
class Change:
    """What one event changes in an organisation's live state."""

    org_id: UUID
    halves: Sequence[AgentHalf] = ()
    entry: FeedEntry | None = None


class LiveState:
    """The keys `live:*`, of which this service is the only writer."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._merge_agent = cache.register_script(_MERGE_AGENT)
        self._add_to_feed = cache.register_script(_ADD_TO_FEED)

    async def apply(self, changes: Iterable[Change]) -> None:
        """Write changes in one round trip; an older sequence never replaces a newer one."""
        feeds: dict[UUID, list[str | int]] = {}
        async with self._cache.pipeline(transaction=False) as pipe:
            for change in changes:
                for half in change.halves:
                    keys = [agents_key(change.org_id), gone_key(change.org_id)]
                    await self._merge_agent(keys, [half.encode(), _GONE_SECONDS], client=pipe)
                if change.entry is not None:
                    feed = feeds.setdefault(change.org_id, [FEED_LENGTH])
                    feed += [change.entry.model_dump_json(), change.entry.seq]
            for org_id, feed in feeds.items():
                await self._add_to_feed([feed_key(org_id)], feed, client=pipe)
            await pipe.execute()

    async def complete(self) -> bool:
        """Whether Redis holds everything that was ever projected."""
        return bool(await self._cache.exists(COMPLETE))

    async def begin(self) -> str:
        """A mark to put down before writing everything."""
        mark = str(new_id())
        await self._cache.set(_BUILDING, mark, ex=600)
        return mark

    async def finish(self, mark: str) -> bool:
        """Everything is there now, unless Redis was flushed since the mark was put down."""
        if await self._cache.getdel(_BUILDING) != mark:
            return False
        await self._cache.set(COMPLETE, "1")
        return True

    async def known_agents(self) -> dict[UUID, set[UUID]]:
        """The agents of every organisation that Redis knows."""
        known: dict[UUID, set[UUID]] = {}
        async for key in self._cache.scan_iter(match="live:*:agents", count=500):
            known[UUID(str(key).split(":")[1])] = {UUID(str(each)) for each in await self._cache.hkeys(key)}
        return known


def gone_key(org_id: UUID) -> str:
    """Redis set of agents deleted lately, so that a late event does not bring one back."""
    return f"live:{org_id}:gone"
