"""How the parts that know people, organisations and credentials are put together."""

from dataclasses import dataclass

from backend.services.api_keys import ApiKeys
from backend.services.authentication import Authentication
from backend.services.invitations import Invitations
from backend.services.lockout import Lockout
from backend.services.members import Members
from backend.services.organisations import Organisations
from backend.services.own_account import OwnAccount
from backend.services.passwords import Passwords
from backend.services.service_accounts import ServiceAccounts
from backend.services.sessions import Sessions
from backend.settings import BackendSettings
from backend.stores.agent_store import AgentStore
from backend.stores.api_key_store import ApiKeyStore
from backend.stores.identity_store import IdentityStore
from backend.stores.invitation_store import InvitationStore
from backend.stores.lockout_store import LockoutStore
from backend.stores.member_store import MemberStore
from backend.stores.password_reset_store import PasswordResetStore
from backend.stores.service_account_store import ServiceAccountStore
from backend.stores.session_store import SessionStore
from backend.tokens import AccessTokens
from services.chassis.clock import Clock
from services.chassis.database import Database


@dataclass(frozen=True)
class Identity:
    """Everything that says who somebody is and where they belong."""

    authentication: Authentication
    sessions: Sessions
    own_account: OwnAccount
    api_keys: ApiKeys
    service_accounts: ServiceAccounts
    organisations: Organisations
    members: Members
    invitations: Invitations
    passwords: Passwords


@dataclass(frozen=True)
class IdentityStores:
    """The tables behind it."""

    people: IdentityStore
    members: MemberStore
    invitations: InvitationStore
    accounts: ServiceAccountStore
    keys: ApiKeyStore
    sessions: SessionStore
    resets: PasswordResetStore
    lockouts: LockoutStore

    @classmethod
    def on(cls, db: Database) -> "IdentityStores":
        """The stores of one database."""
        return cls(
            IdentityStore(db),
            MemberStore(db),
            InvitationStore(db),
            ServiceAccountStore(db),
            ApiKeyStore(db),
            SessionStore(db),
            PasswordResetStore(db),
            LockoutStore(db),
        )


def build_identity(
    db: Database, stores: IdentityStores, tokens: AccessTokens, settings: BackendSettings, clock: Clock
) -> Identity:
    """The parts on their stores."""
    people, keys, passwords = stores.people, stores.keys, Passwords()
    lockout = Lockout(stores.lockouts, settings)
    known = Authentication(stores.sessions, keys, tokens, settings, clock)
    accounts = ServiceAccounts(db, stores.accounts, keys, known)
    return Identity(
        authentication=known,
        sessions=Sessions(db, people, stores.sessions, passwords, lockout, tokens, settings, clock),
        own_account=OwnAccount(
            db, people, stores.members, stores.sessions, stores.resets, passwords, lockout, known
        ),
        api_keys=ApiKeys(db, keys, AgentStore(db), accounts, known),
        service_accounts=accounts,
        organisations=Organisations(
            db, people, stores.sessions, keys, stores.accounts, stores.invitations, known
        ),
        members=Members(db, stores.members, stores.invitations, keys, stores.sessions, stores.resets, known),
        invitations=Invitations(db, stores.invitations, people, stores.members, passwords, lockout),
        passwords=passwords,
    )
