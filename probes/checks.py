"""Knows whether an answer says what it should; refuses to keep what it says.

A regular expression sees the first `SEARCHED_CHARS_MAX` characters. That bounds what it reads, not how often: Python's
engine backtracks, so `(a+)+$` can still take for ever; the patterns are the operator's own.

Source: issue "synthetic users"; spec/measurement.md 9 (bad_output: invalid JSON for a requested schema).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from probes import json_schema
from telemetry.events import UNREAD, lenient_json

SEARCHED_CHARS_MAX = 16 * 1024
"""Characters of an answer that a regular expression sees."""
PATTERN_CHARS_MAX = 1024
"""Longest regular expression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What an answer must be; what is None or empty is not looked at.

    Attributes:
        contains: Texts that it must hold.
        matches: What it must hold a match of.
        schema: JSON that it must be, whole: `probes.json_schema`.
        tokens_min: Fewest output tokens.
        tokens_max: Most output tokens.
    """

    contains: Sequence[str] = ()
    matches: re.Pattern[str] | None = None
    schema: Mapping[str, Any] | None = None
    tokens_min: int | None = None
    tokens_max: int | None = None

    @property
    def reads_text(self) -> bool:
        """Return whether the text is needed."""
        return bool(self.contains) or self.matches is not None or self.schema is not None


def pattern(text: str) -> re.Pattern[str]:
    """Compile a regular expression.

    Raises:
        ValueError: It is none, or too long.
    """
    if len(text) > PATTERN_CHARS_MAX:
        raise ValueError(f"is longer than {PATTERN_CHARS_MAX} characters")
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error.msg}") from None


def failed(checks: Checks, text: str, tokens_out: int | None) -> Sequence[str]:
    """Return the names of the checks that an answer fails.

    Args:
        checks: What it must be.
        text: What it says.
        tokens_out: Its tokens; a count that is not known fails a check that needs it.
    """
    found = {
        "contains": all(part in text for part in checks.contains),
        "matches": checks.matches is None or checks.matches.search(text[:SEARCHED_CHARS_MAX]) is not None,
        "schema": checks.schema is None or _has_form(text, checks.schema),
        "tokens_min": checks.tokens_min is None or (tokens_out is not None and tokens_out >= checks.tokens_min),
        "tokens_max": checks.tokens_max is None or (tokens_out is not None and tokens_out <= checks.tokens_max),
    }
    return [name for name, is_so in found.items() if not is_so]


def _has_form(text: str, schema: Mapping[str, Any]) -> bool:
    try:
        return json_schema.fits(lenient_json(text.encode()), schema)
    except UNREAD:
        return False
