"""
The first administrator: made once, by `python -m services create-admin`.

Doing it again changes nothing, least of all a password. A password that was not given is random and is
returned to be shown once; only its hash is kept.
"""

import secrets
from dataclasses import dataclass

from backend.services.passwords import Passwords
from backend.settings import AdministratorSettings, BackendSettings
from backend.stores.identity_store import IdentityStore
from services.chassis.database import Connection, Database
from services.chassis.settings import PlatformSettings


@dataclass(frozen=True)
class FirstAdministrator:
    """Who it is; the password is there only when the account was just created."""

    email: str
    created: bool
    password: str | None = None


async def create_first_administrator(
    platform: PlatformSettings, administrator: AdministratorSettings, operators: str
) -> FirstAdministrator:
    """Make the organisation of the operators and its owner, where they do not exist."""
    if not platform.database_system_url:
        raise RuntimeError("DATABASE_SYSTEM_URL is not set; run `agentplane install` or see .env.example")
    db = await Database.open(None, platform.database_system_url, 2)
    try:
        return await _ensure(db, administrator, operators)
    finally:
        await db.close()


async def _ensure(db: Database, administrator: AdministratorSettings, operators: str) -> FirstAdministrator:
    store, email = IdentityStore(db), administrator.email.strip()
    if await store.account(email) is not None:
        return FirstAdministrator(email, created=False)
    given = administrator.password.get_secret_value() if administrator.password else None
    password = given or secrets.token_urlsafe(15)
    password_hash = Passwords().hash_now(password)
    async with db.system() as connection:
        await _add(connection, store, email, password_hash, operators)
    return FirstAdministrator(email, created=True, password=password)


async def _add(
    connection: Connection, store: IdentityStore, email: str, password_hash: str, operators: str
) -> None:
    org_id = await store.organisation_id(connection, operators)
    if org_id is None:
        org_id = await store.add_organisation(connection, operators, operators.capitalize())
    user_id = await store.add_user(connection, email, email.partition("@")[0], password_hash)
    await store.add_member(connection, org_id, user_id, "owner")


async def from_environment() -> FirstAdministrator:
    """Make the first administrator that the environment describes."""
    operators = BackendSettings().operators
    return await create_first_administrator(PlatformSettings(), AdministratorSettings(), operators)
