"""Knows silences and acknowledgements: which notices they hold back, and for how long; refuses to know delivery.

A silence mutes what is sent, never what is evaluated, budgeted or gated. Its matchers must all match, as in
Alertmanager: a label that is missing is empty, an expression must match the whole value, and at least one matcher must
not match an empty value, so that no silence mutes everything by mistake. Expressions are kept so simple that none can
take long: Python's engine, unlike Alertmanager's, tries all ways to match.

Source: spec/slo.md 10; Alertmanager, pkg/labels (anchored expressions), silence (a matcher that is not empty).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from slo.errors import ObjectiveError

SILENCE_S_MAX = 7 * 86_400
"""Longest silence."""
PATTERN_CHARS_MAX = 256
"""Longest value of a matcher."""
REPEATS_MAX = 3
"""Repetitions (`*`, `+`, `{`) in one expression: each may multiply the time by the length of a value."""
MATCHERS_MAX = 32
"""Matchers of one silence."""
HIDDEN_PAGE_S = 86_400
"""A page that is held back for longer raises a ticket."""

_PATTERNS_KEPT = 1024
_REPEAT = re.compile(r"[*+{]")
_REPEATED_GROUP = re.compile(r"\)[*+{]")


class MatchOp(StrEnum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    MATCHES_NOT = "!~"


_EXPRESSIONS = frozenset({MatchOp.MATCHES, MatchOp.MATCHES_NOT})
_NEGATED = frozenset({MatchOp.NOT_EQUAL, MatchOp.MATCHES_NOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One condition on a label.

    Attributes:
        name: The label.
        op: How it is compared.
        value: A value, or an expression for the whole value.
    """

    name: str
    op: MatchOp
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Holds notices back for a while.

    Attributes:
        id: Its name.
        matchers: All must match.
        starts_at_s: From here on, unix time.
        ends_at_s: Until here, unix time.
        author: Who asked for it.
        comment: Why.
        changed_at_s: When this was decided, unix time; None of what no person made.
    """

    id: str
    matchers: tuple[Matcher, ...]
    starts_at_s: int
    ends_at_s: int
    author: str
    comment: str
    changed_at_s: int | None = None


def check(silence: Silence) -> None:
    """Refuse a silence that is too long, too wide, or unexplained.

    Raises:
        ObjectiveError: It names what is wrong.
    """
    length_s = silence.ends_at_s - silence.starts_at_s
    _require(0 < length_s <= SILENCE_S_MAX, "ends_at", f"{length_s} s after starts_at", f"1 to {SILENCE_S_MAX} s")
    _require(bool(silence.author.strip()), "author", "nothing", "a name")
    _require(bool(silence.comment.strip()), "comment", "nothing", "a reason")
    check_matchers(silence.matchers)


def check_matchers(matchers: Sequence[Matcher], key: str = "matchers") -> None:
    """Refuse matchers that are too many, too slow, or match everything.

    Raises:
        ObjectiveError: It names what is wrong, under a key.
    """
    _require(0 < len(matchers) <= MATCHERS_MAX, key, str(len(matchers)), f"1 to {MATCHERS_MAX}")
    for matcher in matchers:
        _check_value(matcher, key)
    narrow = any(not matches(matcher, {}) for matcher in matchers)
    _require(narrow, key, "only such that match an empty value", "at least one that does not")


def matches(matcher: Matcher, labels: Mapping[str, str]) -> bool:
    """Return whether a label is as a matcher wants it."""
    value = labels.get(matcher.name, "")
    if matcher.op in _EXPRESSIONS:
        same = _pattern(matcher.value).fullmatch(value) is not None
    else:
        same = value == matcher.value
    return same is not (matcher.op in _NEGATED)


def silenced_by(labels: Mapping[str, str], at_s: int, silences: Iterable[Silence]) -> tuple[str, ...]:
    """Return the ids of the silences that hold an alert back at an instant."""
    return tuple(
        silence.id
        for silence in silences
        if silence.starts_at_s <= at_s < silence.ends_at_s and all(matches(one, labels) for one in silence.matchers)
    )


def hides_too_long(hidden_since_s: int, at_s: int) -> bool:
    """Return whether a page has been held back for so long that a ticket should say so."""
    return at_s - hidden_since_s > HIDDEN_PAGE_S


def _check_value(matcher: Matcher, of: str) -> None:
    key = f"{of}.{matcher.name or '(empty name)'}"
    _require(bool(matcher.name), key, "no name", "the name of a label")
    length = len(matcher.value)
    _require(length <= PATTERN_CHARS_MAX, key, f"{length} characters", f"up to {PATTERN_CHARS_MAX}")
    if matcher.op in _EXPRESSIONS:
        repeats = len(_REPEAT.findall(matcher.value))
        _require(repeats <= REPEATS_MAX, key, f"{repeats} repetitions", f"up to {REPEATS_MAX}")
        _require(not _REPEATED_GROUP.search(matcher.value), key, "a group that is repeated", "none")
        try:
            _pattern(matcher.value)
        except re.error as error:
            raise ObjectiveError("", key, repr(matcher.value), f"a regular expression ({error})") from None


def _require(holds: bool, key: str, found: str, allowed: str) -> None:  # noqa: FBT001 -- the condition comes first
    if not holds:
        raise ObjectiveError("", key, found, allowed)


@lru_cache(maxsize=_PATTERNS_KEPT)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)
