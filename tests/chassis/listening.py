"""A service that listens to a topic of its own, for the tests of events."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

from services.chassis.ids import new_id
from services.chassis.outbox import emit
from services.chassis.resources import Resources
from services.chassis.service import Service, on
from services.chassis.testing import TestPlatform
from services.chassis.topic import Event, Topic
from tests.chassis.probe import probed


class Happened(Event):
    """Something of the test happened."""

    type: Literal["test.happened"] = "test.happened"
    data: int = 0


class Listener:
    """Remembers what it heard; fails as it is told to."""

    def __init__(self) -> None:
        self.heard: list[int] = []
        self.attempts: list[int] = []
        self.fail: Callable[[Happened], Exception | None] = lambda _: None

    async def hear(self, event: Happened) -> None:
        self.attempts.append(event.data)
        if failure := self.fail(event):
            raise failure
        self.heard.append(event.data)


def topic(*, durable: bool = True) -> Topic[Happened]:
    return Topic(f"test.{new_id().hex}", Happened, durable=durable)


def service(about: Topic[Happened], listener: Listener, *, every_replica: bool = False) -> Service[Any]:
    def build(_: Resources) -> Listener:
        return listener

    heard = on(about, Listener.hear, every_replica=every_replica)
    return Service(name="usage-meter", build=build, handlers=[heard])


@asynccontextmanager
async def listening(
    environment: Any, about: Topic[Happened], **more: Any
) -> AsyncIterator[tuple[TestPlatform, Listener]]:
    listener = Listener()
    async with probed(environment, [service(about, listener, **more)]) as platform:
        yield platform, listener


async def say(platform: TestPlatform, about: Topic[Happened], *numbers: int) -> None:
    async with platform.db.system() as connection:
        await emit(connection, about, *[Happened(subject_id=new_id(), data=n) for n in numbers])


async def letters(platform: TestPlatform, about: Topic[Happened]) -> list[Any]:
    return await platform.db.fetch("SELECT * FROM dead_letters WHERE subject = $1 ORDER BY id", about.subject)


async def all_published(platform: TestPlatform) -> bool:
    return not await platform.db.fetch("SELECT FROM outbox WHERE published_at IS NULL")
