"""
Credentials: access tokens, refresh tokens, API keys; how they are made, told apart and hashed.

Access tokens are JWT (HS256, 15 min). Refresh tokens and API keys are random with at least 190 bits, so that
a plain SHA-256 is enough to keep them. An API key ends with a checksum: a mistyped or invented one costs no
look into the database, and scanners of public code can tell a real key.
"""

import base64
import hashlib
import secrets
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import jwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.chassis.errors import TokenExpired, Unauthenticated

KEY_MARK = "ap_live_"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ISSUER, _AUDIENCE, _ALGORITHM = "agentplane", "agentplane-api", "HS256"
_CHECKSUM_LENGTH = 6


def token_hash(token: str) -> bytes:
    """What is kept of a credential."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def new_refresh_token() -> str:
    """A random token of 256 bits."""
    return secrets.token_urlsafe(32)


def seal_successor(token: str, successor: str) -> bytes:
    """Encrypt a token's successor so that only a holder of the token can open it."""
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(_sealing_key(token)).encrypt(nonce, successor.encode(), None)


def open_successor(token: str, sealed: bytes) -> str:
    """The successor that was sealed under a token."""
    try:
        return AESGCM(_sealing_key(token)).decrypt(sealed[:12], sealed[12:], None).decode()
    except InvalidTag:
        raise Unauthenticated("the refresh token is not valid") from None


def _sealing_key(token: str) -> bytes:
    return hashlib.sha256(b"agentplane refresh successor" + token.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True)
class NewApiKey:
    """A key that was just made: shown once, kept as a hash."""

    key: str
    prefix: str


def new_api_key() -> NewApiKey:
    """A key `ap_live_<prefix>_<secret and checksum>`."""
    prefix = "".join(secrets.choice(_BASE62) for _ in range(8))
    body = f"{KEY_MARK}{prefix}_" + "".join(secrets.choice(_BASE62) for _ in range(32))
    return NewApiKey(body + _checksum(body), prefix)


def looks_like_api_key(token: str) -> bool:
    """Whether a bearer token has the form of an API key and its checksum is right."""
    body, checksum = token[:-_CHECKSUM_LENGTH], token[-_CHECKSUM_LENGTH:]
    return token.isascii() and len(body) == len(KEY_MARK) + 41 and _checksum(body) == checksum


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, 62)
        digits += _BASE62[digit]
    return digits


@dataclass(frozen=True)
class AccessClaims:
    """What an access token says."""

    user_id: UUID
    session_id: UUID
    org_id: UUID


class AccessTokens:
    """Makes and checks access tokens under one key."""

    def __init__(self, key: str, seconds: int) -> None:
        self._key = key
        self.seconds = seconds
        # A key of its own for what is stored sealed, so that neither use weakens the other.
        self._box = AESGCM(hashlib.sha256(b"agentplane sealed answers" + key.encode()).digest())

    def issue(self, claims: AccessClaims, role: str, now: datetime) -> str:
        """A signed token."""
        payload = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": str(claims.user_id),
            "sid": str(claims.session_id),
            "org": str(claims.org_id),
            "role": role,
            "iat": now,
            "exp": now + timedelta(seconds=self.seconds),
        }
        return jwt.encode(payload, self._key, algorithm=_ALGORITHM, headers={"typ": "at+jwt"})

    def read(self, token: str) -> AccessClaims:
        """What a token says; `Unauthenticated` unless it is ours and in time."""
        required = ["exp", "iat", "sub", "sid", "org"]
        try:
            payload = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                audience=_AUDIENCE,
                options={"require": required},
            )
            return AccessClaims(UUID(payload["sub"]), UUID(payload["sid"]), UUID(payload["org"]))
        except jwt.ExpiredSignatureError:
            raise TokenExpired("the access token has expired; refresh it") from None
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
            raise Unauthenticated("the bearer token is not valid") from None

    def seal(self, content: bytes) -> bytes:
        """Encrypt an answer that is stored for a while and may hold a credential."""
        nonce = secrets.token_bytes(12)
        return nonce + self._box.encrypt(nonce, content, None)

    def open(self, sealed: bytes) -> bytes:
        """What `seal` encrypted."""
        return self._box.decrypt(sealed[:12], sealed[12:], None)


def b64url(content: bytes) -> str:
    """Base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
