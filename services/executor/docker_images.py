"""Images of the engine: found or pulled once, and then known by an id that never changes."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from services.executor.docker_container import USUAL_PATH, Image
from services.executor.docker_engine import Engine, EngineError

PULLS_AT_ONCE = 4


class ImageRefused(Exception):
    """The image cannot be had; the message is the engine's own."""


class Images:
    """The images of one engine."""

    def __init__(self, engine: Engine, pull_seconds: float) -> None:
        self._engine, self._pull_seconds = engine, pull_seconds
        # Threads of its own: slow registries must not take those that start and stop containers.
        self._pool = ThreadPoolExecutor(PULLS_AT_ONCE, "pull")
        self._pulling: dict[str, asyncio.Lock] = {}

    async def get(self, name: str) -> Image:
        """The image of a name; pulled when the engine does not have it."""
        async with self._pulling.setdefault(name, asyncio.Lock()):
            found = await asyncio.to_thread(self._find, name)
            if found is None:
                await asyncio.get_running_loop().run_in_executor(self._pool, self._pull, name)
                found = await asyncio.to_thread(self._find, name)
        if found is None:
            raise ImageRefused(f"image {name} was pulled, but the engine does not have it")
        return found

    def _find(self, name: str) -> Image | None:
        try:
            facts = self._engine.ask("GET", f"/images/{quote(name, safe='/:@')}/json")
        except EngineError as error:
            if error.status == 404:
                return None
            if error.status == 400:
                raise ImageRefused(f"image {name}: {error}") from error
            raise
        return _image(name, facts)

    def _pull(self, name: str) -> None:
        repository, digest = name, ""
        if "@" not in name and ":" not in name.rpartition("/")[2]:
            # Without a tag the engine would pull all there are.
            digest = "latest"
        query = {"fromImage": repository, **({"tag": digest} if digest else {})}
        try:
            told = self._engine.ask("POST", "/images/create", None, self._pull_seconds, **query)
        except EngineError as error:
            raise ImageRefused(f"image {name} could not be pulled: {error}") from error
        for line in told if isinstance(told, list) else [told]:
            if isinstance(line, dict) and line.get("error"):
                raise ImageRefused(f"image {name} could not be pulled: {line['error']}")


def _image(name: str, facts: dict[str, Any]) -> Image:
    config = facts.get("Config") or {}
    environment = dict(line.partition("=")[::2] for line in config.get("Env") or [])
    digests = [digest.partition("@")[2] for digest in facts.get("RepoDigests") or []]
    return Image(
        name=name,
        id=facts["Id"],
        digest=digests[0] if digests else None,
        path=environment.get("PATH", USUAL_PATH),
        workdir=config.get("WorkingDir") or "",
        volumes=tuple(config.get("Volumes") or ()),
    )
