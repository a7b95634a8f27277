"""Base classes of what crosses a boundary: answers, requests, pages, and how time is written."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer

T = TypeVar("T")


def rfc3339(moment: datetime) -> str:
    """A moment as RFC 3339 in UTC with milliseconds: `2026-11-22T15:04:05.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Timestamp = Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
JsonObject = dict[str, Any]


class Contract(BaseModel):
    """Something one service tells another; unknown fields are ignored, so that additions are harmless."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Request(BaseModel):
    """Something a caller asks; an unknown field is an error, so that a typing mistake is not lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(Contract, Generic[T]):
    """One page of a list; `next_cursor` is null on the last."""

    items: Sequence[T]
    next_cursor: str | None = None
