"""Knows how events reach stderr: plain lines for people on a terminal, JSON lines otherwise; refuses unknown fields.

Source: design.md (stdout is data, stderr is log; NO_COLOR); spec/reliability.md 11 (allowlist of keys).
"""

import os
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any

import structlog

from inferometer.supervisor import Log

FIELDS = frozenset(
    {"event", "level", "timestamp", "role", "status", "wait_s", "pid", "port", "seconds", "target", "tee", "store"}
    | {"metrics", "data", "engine", "version", "models", "endpoint", "workers", "signal", "reason", "hint", "probe"}
)
"""What may be said; anything else could carry a prompt or a key, so it is left out."""


def to_stderr() -> Log:
    """Set structlog up for this process and return where events go."""
    people = sys.stderr.isatty()
    colours = people and not os.environ.get("NO_COLOR")
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0) if people else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if people else "iso", utc=not people),
            _known_fields,
            last,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()

    def said(event: str, /, **fields: object) -> None:
        with suppress(OSError):  # whoever read stderr may be gone, and that must not end what we watch
            logger.info(event, **fields)

    return said


def _known_fields(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: value for name, value in event.items() if name in FIELDS}
