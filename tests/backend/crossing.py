"""
Calls across the border of an organisation: every route with every id of somebody else, by the thousand.

`Victim` is an organisation that has one of everything; `calls` makes requests of an attacker that name its
things in paths, queries, bodies and cursors; `judge` says what an answer must not be or contain.
"""

import gzip
import io
import random
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.steps import StepKind
from tests.backend.conftest import Tenant, make_tenant
from tests.backend.people import owner_of
from tests.backend.test_bad_input import GUARDED
from tests.services.agent_observability.conftest import made_step

PARAMETER = re.compile(r"{(\w+)}")
# These belong to the platform: who may read them reads the same in every organisation.
OF_THE_PLATFORM = {"node_id"}
SMALL_NUMBERS = {"seq", "version", "at_step", "step"}
# Every other parameter of a path names something of an organisation, which `make_victim` has one of.
OF_AN_ORGANISATION = {
    *(
        "agent_id",
        "api_key_id",
        "approval_id",
        "bulk_fork_id",
        "delivery_id",
        "digest",
        "execution_id",
        "invitation_id",
        "mask_id",
    ),
    *("memory_id", "organisation_id", "other", "server_id", "service_account_id", "session_id", "step_id"),
    *("user_id", "webhook_id"),
}


@dataclass
class Victim:
    """An organisation with one of everything, and the words and ids by which a leak is recognised."""

    tenant: Tenant
    mark: str
    ids: dict[str, str] = field(default_factory=dict)
    cursors: list[str] = field(default_factory=list)

    def secrets_beside(self, sent: str) -> set[str]:
        """What an answer must not contain, but for what the request itself said."""
        return {
            each
            for each in [self.mark, self.tenant.email, *self.ids.values()]
            if each not in sent and len(each) > 8
        }


@dataclass(frozen=True)
class Call:
    """One request of the attacker."""

    method: str
    path: str
    template: str
    query: Mapping[str, str]
    body: Any
    names_foreign_id_in_path: bool

    @property
    def sent(self) -> str:
        """Everything the request says."""
        return f"{self.path} {dict(self.query)} {self.body}"


async def make_victim(platform: TestPlatform) -> Victim:
    """An organisation whose every thing carries a word that nothing else has."""
    mark = f"zz{new_id().hex[-16:]}"
    victim = Victim(await make_tenant(platform), mark)
    tenant, ids = victim.tenant, victim.ids
    await platform.db.execute("UPDATE organisations SET name = $2 WHERE id = $1", tenant.org_id, mark)
    async with owner_of(tenant) as owner:

        async def made(path: str, body: dict[str, Any]) -> str:
            return str((await owner.asks("POST", path, json=body))["id"])

        ids["organisation_id"], ids["user_id"] = str(tenant.org_id), str(tenant.user_id)
        agent = {"name": f"a-{mark}", "docker_image": "agent-runtime:latest", "description": mark}
        ids["agent_id"] = await made("/agents", agent)
        # Nothing of it may end by itself while a drill asks ten thousand times.
        run = {"input": {"said": mark}, "timeout_seconds": 86_400}
        ids["execution_id"] = await made(f"/agents/{ids['agent_id']}/executions", run)
        await made(f"/agents/{ids['agent_id']}/executions", run)
        ids["api_key_id"] = await made("/api-keys", {"name": mark, "scopes": ["agents:read"]})
        ids["invitation_id"] = await made("/invitations", {"email": f"{mark}@example.com"})
        account = {"name": mark, "role": "viewer", "description": mark}
        ids["service_account_id"] = await made("/service-accounts", account)
        hook = {"url": f"https://1.1.1.1/{mark}", "event_types": ["agent.deleted"], "description": mark}
        ids["webhook_id"] = await made("/webhooks", hook)
        note = await owner.asks("POST", "/memory", json={"scope": "organisation", "content": f"know {mark}"})
        ids["memory_id"] = str(note["memory"]["id"])
        server = {"name": mark, "url": f"https://1.1.1.1/{mark}", "effects": {mark: "read"}}
        ids["server_id"] = await made("/mcp-servers", server)
        mask = {"pointer": "/x", "pattern": mark}
        ids["mask_id"] = await made(f"/time-travel/agents/{ids['agent_id']}/masks", mask)
        ids["session_id"] = str((await owner.asks("GET", "/auth/sessions"))[0]["id"])
        ids["other"] = await made(f"/agents/{ids['agent_id']}/executions", run)
        packed = await owner.http.post("/bundles", content=gzip.compress(_archive(mark)))
        ids["digest"] = packed.json()["digest"]
        await _what_only_the_platform_makes(platform, victim)
        for path in ("/agents", "/executions", "/api-keys", "/audit", "/events", "/memory"):
            page = await owner.asks("GET", path, params={"limit": 1})
            victim.cursors += [page["next_cursor"]] if page["next_cursor"] else []
    assert set(ids) == OF_AN_ORGANISATION
    return victim


def _archive(mark: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("main.py")
        member.size = len(mark)
        archive.addfile(member, io.BytesIO(mark.encode()))
    return buffer.getvalue()


async def _what_only_the_platform_makes(platform: TestPlatform, victim: Victim) -> None:
    """A step, a held call, a delivery and forks in bulk, which otherwise take a running agent."""
    ids, org_id, mark = victim.ids, victim.tenant.org_id, victim.mark
    agent_id, execution_id = UUID(ids["agent_id"]), UUID(ids["execution_id"])
    step = made_step(
        org_id, execution_id, 1, agent_id=agent_id, kind=StepKind.TOOL, name=mark, status="succeeded"
    )
    await platform.client(AgentObservabilityClient, "agent-gateway").append_steps([step])
    approval_id, delivery_id, bulk_fork_id = new_id(), new_id(), new_id()
    await platform.db.execute(
        "INSERT INTO approvals (org_id, id, agent_id, agent_name, execution_id, key, ordinal, server, tool,"
        " arguments, effect, reason, state, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, 'key', 1, $4, $4, $6, 'write', 'policy', 'pending',"
        " clock_timestamp() + interval '1 day')",
        *(org_id, approval_id, agent_id, mark, execution_id, f'{{"said": "{mark}"}}'),
    )
    await platform.db.execute(
        "INSERT INTO webhook_deliveries (org_id, endpoint_id, event_id, event_type, body, state)"
        " VALUES ($1, $2, $3, 'agent.deleted', $4, 'failed')",
        *(org_id, UUID(ids["webhook_id"]), delivery_id, f'{{"said": "{mark}"}}'),
    )
    await platform.db.execute(
        "INSERT INTO bulk_forks (org_id, id, name, request, estimate, state, created_by, finished_at)"
        " VALUES ($1, $2, $3, $4, $4, 'finished', 'owner', clock_timestamp())",
        *(org_id, bulk_fork_id, mark, {"said": mark}),
    )
    made = {"step_id": step.id, "approval_id": approval_id, "delivery_id": delivery_id}
    made["bulk_fork_id"] = bulk_fork_id
    ids.update({name: str(identifier) for name, identifier in made.items()})


def calls(victim: Victim, own: Mapping[str, str], number: int, seed: int) -> Iterator[Call]:
    """At least one call for each route and each id of the victim, then as many as wanted at random."""
    chance = random.Random(seed)
    made = 0
    for method, template in GUARDED:
        named = [each for each in PARAMETER.findall(template) if each not in SMALL_NUMBERS]
        for foreign in named or [""]:
            yield _call(victim, own, method, template, {foreign}, chance)
            made += 1
    while made < number:
        method, template = chance.choice(GUARDED)
        named = [each for each in PARAMETER.findall(template) if each not in SMALL_NUMBERS]
        foreign_ones = {each for each in named if chance.random() < 0.7}
        yield _call(victim, own, method, template, foreign_ones, chance)
        made += 1


def _call(
    victim: Victim,
    own: Mapping[str, str],
    method: str,
    template: str,
    foreign: set[str],
    chance: random.Random,
) -> Call:
    def value(match: "re.Match[str]") -> str:
        name = match[1]
        if name in SMALL_NUMBERS:
            return "1"
        if name in foreign - OF_THE_PLATFORM:
            return victim.ids[name]
        return own.get(name, str(new_id()))

    path = PARAMETER.sub(value, template)
    named = foreign - OF_THE_PLATFORM - {""}
    return Call(
        method,
        path,
        template,
        _query(victim, chance),
        _body(victim, chance) if method in {"POST", "PATCH", "PUT"} else None,
        bool(named),
    )


def _query(victim: Victim, chance: random.Random) -> dict[str, str]:
    ids = victim.ids
    possible = {
        "agent_id": ids["agent_id"],
        "execution_id": ids["execution_id"],
        "cursor": chance.choice(victim.cursors),
        "actor": ids["user_id"],
        "target": ids["api_key_id"],
        "organisation_id": ids["organisation_id"],
        "org_id": ids["organisation_id"],
        "q": f"know {victim.mark}",
        "confirm": victim.mark,
        "timeout_seconds": "0",
        "limit": chance.choice(["1", "200"]),
    }
    always = {"timeout_seconds": "0", "q": possible["q"], "confirm": victim.mark}
    some = {name: possible[name] for name in chance.sample(sorted(possible), chance.randint(0, 3))}
    return {**always, **some}


def _body(victim: Victim, chance: random.Random) -> Any:
    ids = victim.ids
    return chance.choice(
        [
            {},
            {"role": "viewer"},
            {"name": "mine now"},
            {"organisation": ids["organisation_id"]},
            {"name": f"k{new_id()}", "scopes": ["agents:read", f"agents:{ids['agent_id']}"]},
            {
                "name": f"k{new_id()}",
                "scopes": ["agents:read"],
                "service_account_id": ids["service_account_id"],
            },
            {"input": 1, "agent_id": ids["agent_id"], "org_id": ids["organisation_id"]},
            {"scope": "agent", "agent_id": ids["agent_id"], "content": "planted"},
            {"content": "changed"},
            {"replicas": 1},
            {"version": 1},
            {"overlap_seconds": 0},
            {"channels": ["agents"]},
            {"org_id": ids["organisation_id"], "channels": ["agents"]},
            {"at_step": 1, "execution_id": ids["execution_id"]},
        ]
    )


def judge(call: Call, answer: httpx.Response, victim: Victim) -> str | None:
    """What is wrong with an answer; null when nothing is."""
    if answer.status_code >= 500:
        return f"{answer.status_code}"
    if call.names_foreign_id_in_path and answer.status_code < 400:
        return f"{answer.status_code} for an id of another organisation"
    secrets = victim.secrets_beside(call.sent)
    if call.template.startswith("/api/v1/audit"):
        # Whatever the attacker has asked for before stands there as the target of its own attempts.
        secrets -= set(victim.ids.values())
    found = [each for each in secrets if each in answer.text]
    return f"the answer contains {found}" if found else None


async def fingerprint(platform: TestPlatform, org_id: UUID) -> dict[str, str]:
    """The victim's rows that only its own people change, each table as one hash."""
    tables = {
        "organisations": "t",
        "members": "t",
        "invitations": "t",
        "service_accounts": "t",
        "api_keys": "(t.id, t.name, t.scopes, t.agents, t.revoked_at, t.expires_at, t.rotated_to)",
        "agents": "(t.id, t.name, t.description, t.spec, t.revision, t.deleted_at)",
        "agent_versions": "t",
        "executions": "(t.id, t.input, t.cancel_requested_at)",
        "mcp_servers": "t",
        "approvals": "t",
        "bulk_forks": "t",
        "replay_masks": "t",
        "budgets": "t",
        "bundles": "(t.digest, t.kind)",
        "memories": "(t.id, t.content)",
        "webhook_endpoints": "(t.id, t.url, t.description, t.state)",
    }
    found = {}
    for table, columns in tables.items():
        org = "id" if table == "organisations" else "org_id"
        row = await platform.db.fetchrow(
            f"SELECT md5(coalesce(string_agg(md5({columns}::text), '' ORDER BY md5({columns}::text)), ''))"
            f" AS hash FROM {table} t WHERE t.{org} = $1",
            org_id,
        )
        assert row is not None
        found[table] = row["hash"]
    return found
