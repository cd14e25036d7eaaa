"""Knows the question what the prefix cache saved before and after each change; refuses to say that a change broke it.

Changes are markers of the kinds that may empty a cache or send prompts elsewhere: a deploy, and a configuration such as
that of a router. One without an endpoint concerns all of them. Only requests that say how much of their input was read
from a cache count; the others are told apart. Inputs are counted in bands named by their lower end: 512 holds 512 to
1023 tokens.

Source: spec/slo.md 14 (`prefix_cache_collapse`), 17 (markers).
"""

from telemetry.queries.asked import ENDED_WITHIN
from telemetry.queries.question import PAGE_S, Question, Select
from telemetry.queries.standing import STANDING_MARKERS

KINDS = ("deploy", "config")
"""Markers that may explain a collapse."""
MARKS_MAX = 20
"""Markers that are looked at: the newest."""

_HOUR_MS = 3_600_000


def hits_around_marks(marked_since_ms: int, until_ms: int) -> Question:
    """Ask what was read from caches around the markers of [marked_since, until).

    Rows: `endpoint`, `model`, `mark_unix_ms`, `kind`, `version`, `band`; for the hour before the marker, the hour from
    it on, and the part of the last hour that is after it: `n_<span>` requests, `tokens_<span>` of their input,
    `hits_<span>` of those from a cache, where the span is `before`, `first` or `last`; `untold`, requests of these
    hours that do not say it, of band 0 if their input is not known either; newest marker first.

    Args:
        marked_since_ms: Since when markers matter, unix milliseconds.
        until_ms: Until when markers and requests do, excluded.
    """
    values = {
        "since": marked_since_ms - _HOUR_MS,
        "marked_since": marked_since_ms,
        "until": until_ms,
        "kinds": list(KINDS),
        "most": MARKS_MAX,
    }
    return Question(sql=_AROUND, parameters=values, seconds_max=PAGE_S)


_NEWEST = Select(
    columns=[
        "toUnixTimestamp64Milli(at) AS at_ms",
        *(f"toString(m.{name}) AS {name}" for name in ("endpoint", "kind", "version")),
    ],
    source=f"(\n{STANDING_MARKERS.text()}\n) AS m",
    where=[
        "m.at >= fromUnixTimestamp64Milli({marked_since:Int64})",
        "m.at < fromUnixTimestamp64Milli({until:Int64})",
        "m.kind IN {kinds:Array(String)}",
    ],
    order_by=["at_ms DESC", "endpoint", "kind", "version"],
    tail="LIMIT {most:UInt32}",
)
_MARKS = Select(columns=["groupArray((at_ms, endpoint, kind, version))"], source=_NEWEST)
_SPANS = {
    "before": "at_ms < mark.1",
    "first": f"at_ms >= mark.1 AND at_ms < mark.1 + {_HOUR_MS}",
    "last": f"at_ms >= greatest(mark.1, {{until:Int64}} - {_HOUR_MS})",
}
_NOW = f"at_ms >= {{until:Int64}} - {_HOUR_MS}"
_AROUND_MARK = f"(at_ms >= m.1 - {_HOUR_MS} AND (at_ms < m.1 + {_HOUR_MS} OR {_NOW}))"


def _hours(first_ms: str, until_ms: str) -> str:
    """Return the condition on a range of its own, which leaves out the marks of others (`same_hours`)."""
    first, until = (f"fromUnixTimestamp64Milli({at})" for at in (first_ms, until_ms))
    minute = "toStartOfMinute(ended_at)"
    return (
        f"(ended_at >= {first} AND ended_at < {until}"
        f" AND {minute} >= toStartOfMinute({first}) AND {minute} <= toStartOfMinute({until}))"
    )


# A marker that is not there is of 1970, when nothing ended.
_THREE_HOURS = "\n    OR ".join(
    [
        _hours(f"{{until:Int64}} - {_HOUR_MS}", "{until:Int64}"),
        *(_hours(f"marks[{at}].1 - {_HOUR_MS}", f"marks[{at}].1 + {_HOUR_MS}") for at in range(1, MARKS_MAX + 1)),
    ]
)
_KNOWN = Select(
    columns=[
        *("endpoint", "model"),
        "toUnixTimestamp64Milli(ended_at) AS at_ms",
        "isNotNull(tokens_in + tokens_cache_read) AS is_told",
        "toUInt64(ifNull(tokens_in, 0)) AS tokens",
        "toUInt64(ifNull(tokens_cache_read, 0)) AS hits",
        f"arrayFilter(m -> (m.2 = '' OR m.2 = endpoint) AND {_AROUND_MARK}, marks) AS own",
    ],
    source="inferometer.requests",
    where=[
        "notEmpty(marks)",
        *ENDED_WITHIN,
        f"({_THREE_HOURS})",
        "traffic = 'user'",
    ],
)
_AROUND = Select(
    given=[f"(\n{_MARKS.text()}\n) AS marks"],
    columns=[
        *("endpoint", "model"),
        "mark.1 AS mark_unix_ms",
        "mark.3 AS kind",
        "mark.4 AS version",
        "roundToExp2(tokens) AS band",
        *(f"countIf(is_told AND {span}) AS n_{name}" for name, span in _SPANS.items()),
        *(f"sumIf(tokens, is_told AND {span}) AS tokens_{name}" for name, span in _SPANS.items()),
        *(f"sumIf(hits, is_told AND {span}) AS hits_{name}" for name, span in _SPANS.items()),
        "countIf(NOT is_told) AS untold",
    ],
    source=f"(\n{_KNOWN.text()}\n)\nARRAY JOIN own AS mark",
    group_by=["endpoint", "model", "mark_unix_ms", "kind", "version", "band"],
    order_by=["mark_unix_ms DESC", "endpoint", "model", "kind", "version", "band"],
).text()
