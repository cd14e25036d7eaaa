"""Knows how people write a time span or an instant; refuses to read the clock."""

import re
from datetime import UTC, datetime

from inferometer.errors import ConfigurationError

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
SPAN_MS_MAX = 800 * 86_400_000
"""Longest span that is asked about; roll-ups end there."""
_ALLOWED = "allowed: a span like 90s, 10m, 2h, 7d, `now`, or a time like 2026-01-31T12:00:00Z"


def instant_ms(text: str, now_ms: int, flag: str) -> int:
    """Return the instant that a text names, unix milliseconds; a span counts back from now.

    Args:
        text: A span, `now`, or an ISO 8601 time; without a zone it is UTC.
        now_ms: The present.
        flag: The flag that held the text, for the message.

    Raises:
        ConfigurationError: The text names no instant.
    """
    if text == "now":
        return now_ms
    if span := _SPAN.fullmatch(text):
        span_ms = float(span[1]) * _UNIT_MS[span[2]]
        if span_ms <= SPAN_MS_MAX:
            return now_ms - round(span_ms)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{flag}: found {text!r}; {_ALLOWED}") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
