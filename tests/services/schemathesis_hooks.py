"""What schemathesis cannot know, and what it is not thorough enough about. SCHEMATHESIS_HOOKS loads this."""

import os
import threading
from typing import Any
from uuid import uuid4

import hypothesis
import requests
import schemathesis
from hypothesis.internal.conjecture.engine import ConjectureRunner
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import use_after_free

CREDENTIALS = {"authorization": "Bearer ap_live_00000000_forged", "x-service-api-key": "forged"}
"""The headers that say who asks, with a value that nobody was given."""

# Who asks must not end its own session, or the rest of the run asks nothing any more.
KEPT = frozenset(os.environ.get("AGENTPLANE_KEPT_IDS", "").split())

WAITS = frozenset({"wait_seconds", "timeout_seconds"})
LONGEST_WAIT = 1.5

own = threading.local()


class TakesStrangers(Failure):
    """A route answered somebody without a credential, or with one that was never given out."""


@schemathesis.serializer("application/gzip")
def as_bytes(_: Any, value: Any) -> bytes:
    """A bundle is bytes: the generated value as it stands."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@schemathesis.hook
def before_call(_: Any, case: schemathesis.Case[Any], __: Any) -> None:
    """Have the run revoke, remove and delete others only, and wait for little where it asks to wait."""
    for name in WAITS & set(case.query or {}):
        if isinstance(case.query[name], int | float) and case.query[name] > LONGEST_WAIT:
            case.query[name] = LONGEST_WAIT
    if case.method != "GET":
        for name, value in case.path_parameters.items():
            if str(value) in KEPT:
                case.path_parameters[name] = str(uuid4())


@schemathesis.check
def refuses_strangers(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """Send every request again without its credential and with a forged one; each must be a 401."""
    shown = [name for name in CREDENTIALS if name in response.request.headers]
    public = case.operation.definition.raw.get("security") == []
    if public or not shown:
        return
    for forged in (None, CREDENTIALS):
        again = response.request.copy()
        for name in shown:
            del again.headers[name]
            if forged:
                again.headers[name] = forged[name]
        status = _session().send(again, timeout=60, allow_redirects=False).status_code
        # A path that the generated value made another's, or a method it has not, is refused before that.
        if status != 401 and not (status == response.status_code and status in {404, 405}):
            message = f"{status} {'with a forged' if forged else 'without a'} credential"
            raise TakesStrangers(operation=case.operation.label, title="Stranger taken in", message=message)


@schemathesis.check
def gone_after_deletion(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> bool | None:
    """What was deleted is not found; only its past stays, until it is erased."""
    past = case.operation.path.endswith("/versions")
    return None if past else use_after_free(context, response, case)


def _session() -> requests.Session:
    if not hasattr(own, "session"):
        own.session = requests.Session()
        own.session.trust_env = False
    return own.session  # type: ignore[no-any-return]


def untargeted(observation: float, *, label: str = "") -> float:
    """Every request is as good as another."""
    return observation


def unmutated(runner: ConjectureRunner, data: Any) -> None:
    """A fresh request instead of five that repeat parts of the last."""


# Looking for ever smaller requests that succeed cost two thirds of a run, and sent the same ones again.
hypothesis.target = untargeted
# Most mutations are drawn and thrown away: half of what generating costs.
ConjectureRunner.generate_mutations_from = unmutated  # type: ignore[method-assign,assignment]
