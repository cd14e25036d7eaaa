"""Knows how one question asks about several spans of minutes at once; refuses to know what is asked.

Source: spec/store.md 4.1 (`r_1m`), 13 (values only as parameters).
"""

from collections.abc import Callable, Sequence

SPANS_MAX = 8
"""Spans of one question."""
MINUTE_S = 60

Span = tuple[int, int]
"""[since, until), unix seconds."""
OF_ALL = ("t >= toDateTime({since:Int64})", "t < toDateTime({until:Int64})", "traffic = 'user'")
"""Minutes of users that any of the spans may hold."""


def values(spans: Sequence[Span]) -> dict[str, object]:
    """Return the values of `OF_ALL` and `within`.

    Args:
        spans: Whole minutes, at least one.

    Raises:
        ValueError: There are no or too many spans, or one is not made of minutes.
    """
    if not 0 < len(spans) <= SPANS_MAX:
        raise ValueError(f"{len(spans)} spans; allowed are 1 to {SPANS_MAX}")
    if any(since % MINUTE_S or until % MINUTE_S or since >= until for since, until in spans):
        raise ValueError(f"spans {list(spans)} are not made of minutes")
    found: dict[str, object] = {
        "since": min(since for since, _ in spans),
        "until": max(until for _, until in spans),
    }
    for place, (since, until) in enumerate(spans):
        found |= {f"since_{place}": since, f"until_{place}": until}
    return found


def whole(length_s: int) -> int:
    """Return a length in whole minutes, at least one."""
    return max(MINUTE_S, length_s // MINUTE_S * MINUTE_S)


def within(n: int) -> list[str]:
    """Return the condition of each of n spans, over the minute `t`."""
    return [f"t >= toDateTime({{since_{at}:Int64}}) AND t < toDateTime({{until_{at}:Int64}})" for at in range(n)]


def by_span(of: Callable[[str], str], n: int, name: str) -> str:
    """Return a column that holds an aggregate of each of n spans.

    Args:
        of: Makes the aggregate of what meets a condition.
        n: How many spans.
        name: Of the column.
    """
    return f"[{', '.join(map(of, within(n)))}] AS {name}"
