"""Logs are JSON lines on standard output; values under a secret's name never reach them."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from services.chassis.tracing import add_trace

_SECRET_NAME = re.compile(r"password|secret|token|authorization|api[_-]?key|cookie", re.IGNORECASE)


def configure_logging(level: str, process: str) -> None:
    """Set up the logs of a process; called once, by the runner."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            add_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _hide_secrets,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(process=process)
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(name)s %(levelname)s %(message)s")


def _hide_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        event[name] = "(hidden)" if _SECRET_NAME.search(name) else _hidden_within(value)
    return event


def _hidden_within(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: "(hidden)" if _SECRET_NAME.search(str(name)) else _hidden_within(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_hidden_within(each) for each in value]
    return value
