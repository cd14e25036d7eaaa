"""Knows how to pick the same hours of the day from a window and the days before it; refuses to know what is asked.

Each day's hours are a range of their own, so that the store leaves out the marks between them (EXPLAIN indexes = 1,
chDB 26.9); one condition on the hour of the day would read them all. Placeholders are `window`, the start of the
window, and `until`, its end, in unix milliseconds.

Source: spec/scaling.md 9.4 (same clock window on 7 nights); spec/slo.md 14 (against 7 d).
"""

DAY_MS = 86_400_000
DAYS = 7
"""Days before the window."""


def values(since_ms: int, until_ms: int) -> dict[str, object]:
    """Return the values of the placeholders.

    Args:
        since_ms: Start of the window, unix milliseconds.
        until_ms: Its end, excluded; at most a day later.

    Raises:
        ValueError: The window is empty, or longer than a day, so that it would be its own reference.
    """
    if not 0 < until_ms - since_ms <= DAY_MS:
        raise ValueError(f"a window from {since_ms} to {until_ms} is not within a day: it has no same hours before it")
    return {"window": since_ms, "until": until_ms}


def days_ago(at: str) -> str:
    """Return the expression for how many days before the window a time is; 0 is the window.

    Args:
        at: A column of times within the hours.
    """
    return f"intDiv({{until:Int64}} - 1 - toUnixTimestamp64Milli(toDateTime64({at}, 3)), {DAY_MS})"


def of_requests() -> str:
    """Return the condition on `requests`; their sorting key holds the minute."""
    return _any_of("ended_at >= {0} AND ended_at < {1} AND {2} >= toStartOfMinute({0}) AND {2} <= toStartOfMinute({1})")


def of_rollup() -> str:
    """Return the condition on a roll-up; a step belongs to the hours if it begins in them."""
    return _any_of("t >= {0} AND t < {1}")


def _any_of(within: str) -> str:
    ranges = (
        within.replace("{0}", _at("window", day)).replace("{1}", _at("until", day)).replace("{2}", _MINUTE)
        for day in range(DAYS + 1)
    )
    return "(" + "\n    OR ".join(f"({one})" for one in ranges) + ")"


_MINUTE = "toStartOfMinute(ended_at)"


def _at(name: str, day: int) -> str:
    return f"fromUnixTimestamp64Milli({{{name}:Int64}} - {day * DAY_MS})"
