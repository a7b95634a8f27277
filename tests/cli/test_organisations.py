"""Organisations by the command: invite, join, switch, keys of accounts, sessions, and the audit log."""

import json
from pathlib import Path

import pytest

from services.chassis.ids import new_id
from services.chassis.testing import TestPlatform
from tests.backend.conftest import PASSWORD
from tests.cli.conftest import Person
from tests.platform import make_agent

NEXT_PASSWORD = "another horse and battery"


@pytest.fixture
async def owner(stranger: Person) -> Person:
    """The owner of an organisation, logged in."""
    await stranger.logs_in()
    return stranger


@pytest.fixture
def guest(owner: Person, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """Somebody else at another machine."""
    return Person(tmp_path_factory.mktemp("guest"), owner.url, owner.tenant)


async def test_invite_join_and_change_what_somebody_is(owner: Person, guest: Person) -> None:
    email = f"{new_id()}@example.com"
    made = await owner.types("invitations", "create", email, "--role", "developer")
    token = made.out.strip()
    assert "no mail is sent" in made.error
    shown = await guest.types("invitations", "show", token)
    assert email in shown.out and "developer" in shown.out
    joined = await guest.types(
        "invitations", "accept", token, "--name", "Guest", "--password-file", "-", given=f"{PASSWORD}\n"
    )
    assert f"{email} is developer of" in joined.out
    login = await guest.types("login", "--email", email, "--password-file", "-", given=f"{PASSWORD}\n")
    assert login.code == 0
    (invitation, *_) = (await owner.types("invitations", "list", "-o", "json")).json
    assert (invitation["email"], invitation["state"]) == (email, "accepted")

    refused = await guest.types("members", "set-role", email, "owner")
    assert refused.code == 4
    assert "viewer now" in (await owner.types("members", "set-role", email, "viewer")).out
    members = (await owner.types("members", "list", "-o", "json")).json
    assert {each["email"]: each["role"] for each in members}[email] == "viewer"
    last = await owner.types("members", "remove", owner.tenant.email, "--yes")
    assert last.code == 5 and "last owner" in last.error

    roles = await owner.types("members", "roles")
    assert "developer" in roles.out and "Makes and changes agents" in roles.out
    assert "agents:write" in (await owner.types("members", "roles", "developer")).out.splitlines()
    assert (await owner.types("members", "roles", "viewer", "-o", "json")).json["name"] == "viewer"

    reset = await owner.types("members", "reset-password", email)
    token = reset.out.strip()
    done = await guest.types("password", "reset", token, "--password-file", "-", given=f"{NEXT_PASSWORD}\n")
    assert done.code == 0, done.error
    assert (await owner.types("members", "remove", email, "--yes")).code == 0


async def test_found_switch_and_delete_an_organisation(owner: Person) -> None:
    slug = f"lab-{new_id().hex[-12:]}"
    assert (await owner.types("org", "create", slug, "--name", "Lab")).code == 0
    assert (await owner.types("org", "switch", slug)).code == 0
    assert slug in (await owner.types("whoami")).out
    await owner.types("org", "rename", "Laboratory")
    listed = (await owner.types("org", "list", "-o", "json")).json
    assert {(each["name"], each["current"]) for each in listed if each["slug"] == slug} == {
        ("Laboratory", True)
    }
    refused = await owner.types("org", "delete")
    assert refused.code == 2
    assert (await owner.types("org", "delete", "--yes")).code == 0
    # The session goes on in the organisation that is left.
    assert slug not in (await owner.types("org", "list")).out


async def test_keys_of_accounts_confined_and_rotated(platform: TestPlatform, owner: Person) -> None:
    agent_id = await make_agent(platform.db, owner.tenant.org_id, name="mine")
    other = await make_agent(platform.db, owner.tenant.org_id, name="other")
    account = (await owner.types("service-accounts", "create", "ci", "--role", "developer")).out.strip()
    made = await owner.types(
        "api-keys", "create", "k", "-s", "agents:read", "--agent", "mine", "--service-account", account
    )
    key = made.out.strip()
    (seen,) = (await owner.types("--api-key", key, "agents", "list", "-o", "json")).json
    assert seen["id"] == str(agent_id)
    assert (await owner.types("--api-key", key, "agents", "show", str(other))).code == 4
    (mine, *_) = (await owner.types("api-keys", "list", "-o", "json")).json
    rotated = (await owner.types("api-keys", "rotate", mine["id"], "--overlap", "60")).out.strip()
    assert rotated.startswith("ap_live_") and rotated != key
    assert (await owner.types("service-accounts", "disable", account, "--yes")).code == 0
    assert (await owner.types("--api-key", rotated, "agents", "list")).code == 4
    (listed,) = (await owner.types("service-accounts", "list", "-o", "json")).json
    assert listed["disabled_at"]


async def test_sessions_and_the_password(owner: Person, guest: Person) -> None:
    await guest.logs_in()
    sessions = (await owner.types("sessions", "list", "-o", "json")).json
    assert len(sessions) == 3 and [each["current"] for each in sessions].count(True) == 1
    assert any(each["user_agent"].startswith("agentplane-cli (") for each in sessions)
    assert "2 other sessions" in (await owner.types("sessions", "revoke-others")).out
    assert (await guest.types("whoami")).code == 4
    (only,) = (await owner.types("sessions", "list", "-o", "json")).json
    current = owner.home / "old"
    current.write_text(PASSWORD)
    changed = await owner.types(
        "password", "change", "--current-file", str(current), "--password-file", "-",
        given=f"{NEXT_PASSWORD}\n",
    )  # fmt: skip
    assert changed.code == 0, changed.error
    assert (await owner.types("sessions", "revoke", only["id"])).code == 0
    assert (await owner.types("whoami")).code == 4


async def test_the_audit_log_is_searched_exported_and_verified(owner: Person) -> None:
    await owner.types("api-keys", "create", "seen", "-s", "agents:read")
    await owner.types("api-keys", "create", "unseen", "-s", "nodes:write")
    found = (await owner.types("audit", "list", "--action", "create_api_key", "-o", "json")).json
    assert [each["status"] for each in found] == [403, 201, 201]
    (refused,) = (await owner.types("audit", "list", "--outcome", "refused", "-o", "json")).json
    assert refused["actor_label"] == owner.tenant.email
    for _ in range(20):
        head = (await owner.types("audit", "verify", "-o", "json")).json
        if head["waiting"] == 0:
            break
    assert head["intact"] and head["records"] >= 3
    noted = ("--position", str(head["position"]), "--hash", head["hash"])
    assert "intact" in (await owner.types("audit", "verify", *noted)).out
    assert (await owner.types("audit", "verify", noted[0], noted[1], "--hash", "0" * 64)).code == 1

    file = owner.home / "audit.jsonl"
    assert (await owner.types("audit", "export", str(file))).code == 0
    offline = (await owner.types("audit", "verify", "--file", str(file), "-o", "json")).json
    assert (offline["position"], offline["hash"]) == (head["position"], head["hash"])
    assert await _tampered(owner, file) == 1


async def _tampered(owner: Person, file: Path) -> int:
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[1]["record"]["status"] = 200
    file.write_text("\n".join(map(json.dumps, lines)))
    done = await owner.types("audit", "verify", "--file", str(file))
    assert "position 2: record_changed" in done.error
    return done.code
