"""The table of permissions by roles: what is printed is what is checked."""

from pathlib import Path

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from backend.permissions import PERMISSIONS, PLATFORM_PERMISSIONS, ROLES, Require, is_public, permissions_of
from backend.routers import ROUTERS
from services.chassis.testing import TestPlatform
from tests.backend.conftest import Tenant, make_tenant

READERS = ("viewer", "developer", "operator", "auditor", "admin", "owner")
# Reading these tells about people, money's limits or credentials, so a viewer's role is not enough.
NOT_FOR_VIEWERS = {"audit:read", "api_keys:read", "service_accounts:read", "bundles:read"}


def test_the_table_holds() -> None:
    print()
    for permission in sorted(PERMISSIONS):
        print(f"{permission:24}", *(f"{role if permission in ROLES[role] else '-':10}" for role in ROLES))
    assert list(ROLES) == ["owner", "admin", "operator", "developer", "viewer", "billing", "auditor"]
    assert all(granted <= PERMISSIONS for granted in ROLES.values())
    # An owner is above an administrator, and an administrator above everybody else.
    assert ROLES["owner"] - ROLES["admin"] == {"organisations:delete"}
    assert all(ROLES[role] < ROLES["admin"] for role in ROLES if role not in {"owner", "admin"})


def test_the_documentation_shows_this_very_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "organisations.md").read_text(encoding="utf-8")
    head, *lines = page.split("```\n")[1].splitlines()
    shown = {line.split()[0]: line.split()[1:] for line in lines}
    assert head.split() == list(ROLES)
    assert set(shown) == PERMISSIONS, "copy the table of backend/permissions.py into docs/organisations.md"
    for permission, marks in shown.items():
        granted = {role for role, mark in zip(ROLES, marks, strict=True) if mark == "x"}
        assert granted == {role for role in ROLES if permission in ROLES[role]}, permission


async def test_the_api_tells_the_table(platform: TestPlatform, tenant: Tenant) -> None:
    other = await make_tenant(platform, "developer")
    async with tenant.client() as api:
        mine = (await api.get("/roles")).json()
    assert [role["name"] for role in mine] == list(ROLES)
    for role in mine:
        assert set(role["permissions"]) == permissions_of(role["name"], operator=False)
        assert role["summary"] and role["grantable"]
    async with other.client() as api:
        assert not any(role["grantable"] for role in (await api.get("/roles")).json())


def test_readers_read_and_only_writers_write() -> None:
    reads = {permission for permission in PERMISSIONS if permission.endswith(":read")}
    assert ROLES["viewer"] == reads - NOT_FOR_VIEWERS
    assert all(ROLES[role] >= ROLES["viewer"] for role in READERS)
    assert ROLES["auditor"] <= reads
    assert ROLES["billing"] - reads == {"budgets:write"}
    assert not ROLES["billing"] & {"agents:read", "executions:read", "memory:read", "logs:read", "audit:read"}
    only_high = {"members:write", "service_accounts:write", "organisations:write", "policies:write"}
    assert all(not ROLES[role] & only_high for role in set(ROLES) - {"owner", "admin"})
    assert "effects:live" not in ROLES["developer"] and "approvals:decide" not in ROLES["developer"]


def test_an_unknown_role_may_nothing_and_the_platform_is_for_operators() -> None:
    assert permissions_of("emperor", operator=True) == frozenset()
    assert not permissions_of("owner", operator=False) & PLATFORM_PERMISSIONS
    assert permissions_of("owner", operator=True) >= PLATFORM_PERMISSIONS


def test_every_route_names_one_permission_of_the_table() -> None:
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute):
                guards = [call for call in _calls(route.dependant) if isinstance(call, Require)]
                named = {guard.permission for guard in guards}
                open_to_all = any(is_public(call) for call in _calls(route.dependant))
                assert open_to_all or guards, f"{route.methods} {route.path} has no policy"
                assert named <= PERMISSIONS | {None}, route.path
                writes = route.methods and route.methods & {"POST", "PUT", "PATCH", "DELETE"}
                if writes and not open_to_all and named != {None}:
                    read_only = {name for name in named if name and name.endswith(":read")}
                    assert not read_only or route.name in READING_POSTS, f"{route.path} writes for readers"


# Questions whose answer is computed and which leave nothing behind.
READING_POSTS: frozenset[str] = frozenset()


def _calls(dependant: Dependant) -> list[object]:
    return [dependant.call, *(call for inner in dependant.dependencies for call in _calls(inner))]
