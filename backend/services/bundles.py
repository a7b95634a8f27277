"""Bundles: an agent's own code as a tar.gz, kept under the SHA-256 of its bytes."""

import asyncio
import hashlib
import io
import tarfile
import zlib
from pathlib import PurePosixPath
from uuid import UUID

from backend.permissions import Principal
from backend.schemas.bundles import Bundle
from backend.stores.bundle_store import BundleStore
from services.chassis.errors import Invalid, NotFound, TooLarge

MOST_BYTES = 20 * 1024 * 1024
MOST_UNPACKED_BYTES = 200 * 1024 * 1024
MOST_FILES = 10_000


class Bundles:
    """Checks and keeps bundles."""

    def __init__(self, store: BundleStore) -> None:
        self._store = store

    async def put(self, principal: Principal, content: bytes) -> Bundle:
        """Keep a bundle, unless it holds something unsafe."""
        kind, files, digest = await asyncio.to_thread(_inspect, content)
        stored = await self._store.put(principal.org_id, digest, kind, content, principal.actor)
        return Bundle(
            digest=stored.digest,
            size_bytes=stored.size_bytes,
            kind=stored.kind,
            files=files,
            created_by=stored.created_by,
            created_at=stored.created_at,
        )

    async def content(self, org_id: UUID, digest: str) -> bytes:
        """The bytes of a bundle."""
        content = await self._store.content(org_id, digest)
        if content is None:
            raise NotFound(f"there is no bundle {digest}")
        return content


def _inspect(content: bytes) -> tuple[str, int, str]:
    """The kind of a bundle, the number of its files, and its digest."""
    names: set[str] = set()
    unpacked = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                _refuse_unsafe(member)
                unpacked += member.size
                if unpacked > MOST_UNPACKED_BYTES:
                    raise TooLarge(f"the bundle unpacks to more than {MOST_UNPACKED_BYTES} bytes")
                if len(names) >= MOST_FILES:
                    raise TooLarge(f"the bundle holds more than {MOST_FILES} files")
                if member.isfile():
                    names.add(str(PurePosixPath(member.name)))
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
        raise Invalid(f"the bundle is not a tar.gz: {str(error)[:100]}") from None
    if not names:
        raise Invalid("the bundle holds no files")
    return _kind(names), len(names), hashlib.sha256(content).hexdigest()


def _refuse_unsafe(member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    shown = member.name[:100].encode("ascii", "backslashreplace").decode()
    if path.is_absolute() or ".." in path.parts or "\0" in member.name or not shown:
        raise Invalid(f"the bundle holds {shown}, which leaves its folder")
    if not (member.isfile() or member.isdir() or member.issym()):
        raise Invalid(f"the bundle holds {shown}, which is neither file, folder nor symbolic link")
    if member.issym():
        target = PurePosixPath(member.linkname)
        depth = len(path.parent.parts)
        for part in target.parts:
            depth += -1 if part == ".." else 0 if part == "." else 1
            if depth < 0 or target.is_absolute():
                raise Invalid(f"the bundle holds {shown}, a link that leaves its folder")


def _kind(names: set[str]) -> str:
    if "requirements.txt" in names:
        return "python"
    return "node" if "package.json" in names else "plain"
