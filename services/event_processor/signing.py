"""
Signatures of outbound webhooks, and when a failed one is tried again: pure functions.

Both follow Standard Webhooks 1.0.0 (standard-webhooks on GitHub, spec/standard-webhooks.md): the bytes
`{id}.{timestamp}.{body}` are signed with HMAC-SHA256, and what failed is repeated for three days.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

SECRET_PREFIX = "whsec_"  # noqa: S105 - says that what follows is a secret
SECRET_BYTES = 32
JITTER = 0.1
LONGEST_RETRY_AFTER_SECONDS = 24 * 3600


def new_secret() -> str:
    """A fresh signing secret, as its receiver is told."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The signature of one message with one secret."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(keys: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a message; while secrets overlap it carries a signature of each."""
    signatures = " ".join(signature(key, message_id, timestamp, body) for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signatures,
    }


def parse_schedule(text: str) -> tuple[float, ...]:
    """Waits in seconds before each attempt, as the setting writes them."""
    schedule = tuple(float(part) for part in text.split(","))
    if not schedule or any(wait < 0 for wait in schedule):
        raise ValueError("the schedule of webhooks must be waits in seconds")
    return schedule


def wait_before(schedule: Sequence[float], position: int, chance: float) -> float | None:
    """Seconds before the try at that position, up to a tenth more or less; null when none is left."""
    if position >= len(schedule):
        return None
    return schedule[position] * (1 - JITTER + 2 * JITTER * chance)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that an endpoint asks to be left alone, at most a day; null when it does not ask."""
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return min(float(value.strip()), LONGEST_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0), LONGEST_RETRY_AFTER_SECONDS)
