"""Typed topics: the publisher and the subscriber import the same object."""

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import Field, TypeAdapter

from services.chassis.clock import Clock
from services.chassis.contract import Contract, Timestamp
from services.chassis.ids import new_id

E = TypeVar("E")


class Event(Contract):
    """
    The envelope of every event; a subclass adds a literal `type` and a typed `data`.

    `subject_id` is what the event is about; `seq` grows for each subject and is set when the event
    leaves the outbox; `cause` and `actor` say why and who.
    """

    id: UUID = Field(default_factory=new_id)
    type: str
    version: Literal[1] = 1
    org_id: UUID | None = None
    subject_id: UUID
    seq: int = 0
    occurred_at: Timestamp = Field(default_factory=lambda: Clock().now())
    cause: str | None = None
    actor: str = "system"
    traceparent: str | None = None
    data: Any = None


@dataclass(frozen=True)
class Message:
    """What JetStream is to keep; a repetition of its id is dropped."""

    subject: str
    payload: bytes
    id: str


class Topic(Generic[E]):
    """A subject of the bus and the type of what is said on it."""

    def __init__(self, subject: str, event: Any, *, durable: bool = True) -> None:
        """`durable` topics are kept by JetStream; the others are a best-effort broadcast."""
        self.subject = subject
        self.durable = durable
        self.adapter: TypeAdapter[E] = TypeAdapter(event)

    def encode(self, event: E) -> bytes:
        """The event as JSON."""
        return self.adapter.dump_json(event)

    def decode(self, payload: bytes) -> E:
        """The event in a message; `ValidationError` where this version does not know its type."""
        return self.adapter.validate_json(payload)

    def __repr__(self) -> str:
        return f"Topic({self.subject!r})"
