"""
Envelope encryption: each version of a secret under a data key of its own, that key under the master key.

Both layers are AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces. A fresh data key for every version
keeps the number of encryptions per key far from the 2^32 bound. What the value is for is authenticated with
it, so that a ciphertext moved to another organisation, path or version does not open.
"""

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12


class CannotOpen(Exception):
    """The ciphertext, its key or what it is bound to was changed, or the master key is another one."""


@dataclass(frozen=True)
class Sealed:
    """A value that only the master key opens."""

    master_id: str
    wrapped_key: bytes
    wrap_nonce: bytes
    nonce: bytes
    ciphertext: bytes


class Cipher:
    """Seals and opens values under one master key."""

    def __init__(self, master_key: str) -> None:
        try:
            key = base64.b64decode(master_key, validate=True)
        except binascii.Error:
            raise ValueError("AGENTPLANE_SECRETS_MASTER_KEY must be base64") from None
        if len(key) != 32:
            raise ValueError(f"AGENTPLANE_SECRETS_MASTER_KEY must be 32 bytes in base64, not {len(key)}")
        self._master = AESGCM(key)
        self.master_id = hashlib.sha256(b"agentplane master key id" + key).hexdigest()[:16]

    def seal(self, value: str, org_id: UUID, path: str, version: int) -> Sealed:
        """Encrypt a value for one place."""
        bound = _bound(org_id, path, version)
        key, wrap_nonce, nonce = AESGCM.generate_key(256), os.urandom(NONCE_BYTES), os.urandom(NONCE_BYTES)
        return Sealed(
            self.master_id,
            self._master.encrypt(wrap_nonce, key, bound),
            wrap_nonce,
            nonce,
            AESGCM(key).encrypt(nonce, value.encode(), bound),
        )

    def open(self, sealed: Sealed, org_id: UUID, path: str, version: int) -> str:
        """Decrypt a value; `CannotOpen` unless it was sealed for exactly this place."""
        bound = _bound(org_id, path, version)
        try:
            key = self._master.decrypt(sealed.wrap_nonce, sealed.wrapped_key, bound)
            return AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, bound).decode()
        except InvalidTag:
            raise CannotOpen(f"the secret {path} cannot be opened with this master key") from None


def _bound(org_id: UUID, path: str, version: int) -> bytes:
    return f"v1|{org_id}|{version}|{path}".encode()
