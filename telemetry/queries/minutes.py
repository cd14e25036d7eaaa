"""Knows the questions about counts of objectives that are stored already; refuses to know how they were counted.

A bucket may have several revisions, of which the last one holds. Error: none.

Source: spec/store.md 4.5 (`slo_minutes`, revisions); spec/slo.md 4 (demand, slices), 8 (late rows).
"""

from collections.abc import Sequence

from telemetry.queries.asked import ENDED_WITHIN
from telemetry.queries.counted import BUCKET_S, OBJECTIVES_MAX
from telemetry.queries.question import LIVE_S, PAGE_S, Question, Select

LATE_BUCKETS_MAX = 120
"""Late buckets of one answer: an hour of them."""


def counted_until(slos: Sequence[str], since_s: int) -> Question:
    """Ask from where and up to where objectives are counted.

    Rows: `slo`, `definition_hash`, `since_unix_s` (start of the first bucket that has a row), `until_unix_s` (end of
    the last one). Those without are absent.

    Args:
        slos: At most `OBJECTIVES_MAX`.
        since_s: Older buckets are not looked at, unix seconds.
    """
    return _asked(_COUNTED_UNTIL, slos, since=since_s, bucket=BUCKET_S)


def counted_buckets(slos: Sequence[str], since_s: int, until_s: int) -> Question:
    """Ask for the counts of single buckets [since, until).

    Rows: `slo`, `group_key`, `definition_hash`, `t_unix_s`, `eligible`, `good`, `censored_bad`, `excluded` (number of
    requests), `revision`; oldest first within an objective and group.

    Args:
        slos: At most `OBJECTIVES_MAX`.
        since_s: Start, unix seconds.
        until_s: End, excluded.
    """
    return _asked(_BUCKETS, slos, since=since_s, until=until_s)


def sums_by(slos: Sequence[str], since_s: int, until_s: int, length_s: int) -> Question:
    """Ask for sums over spans of equal length: the hours of a demand profile, or the slices of a budget.

    Rows: `slo`, `group_key`, `definition_hash`, `t_unix_s` (start of the span: since + n * length), `eligible`, `good`.
    Spans without a row are absent.

    Args:
        slos: At most `OBJECTIVES_MAX`.
        since_s: Start of the first span, unix seconds.
        until_s: End, excluded.
        length_s: Seconds of a span, a multiple of the bucket.

    Raises:
        ValueError: The length is no multiple of the bucket.
    """
    if length_s <= 0 or length_s % BUCKET_S:
        raise ValueError(f"spans of {length_s} s are not made of buckets of {BUCKET_S} s")
    return _asked(_SUMS, slos, since=since_s, until=until_s, length=length_s)


def late_buckets(ingested_since_ms: int, ended_since_ms: int, ended_until_ms: int) -> Question:
    """Ask which buckets got rows after they were counted.

    Rows: `t_unix_s`, `rows`, newest first, at most `LATE_BUCKETS_MAX`.

    Args:
        ingested_since_ms: The last time that was asked, by the store's clock, unix milliseconds.
        ended_since_ms: Older buckets are left as they are.
        ended_until_ms: Up to where was counted then.
    """
    values = {
        "ingested": ingested_since_ms,
        "since": ended_since_ms,
        "until": ended_until_ms,
        "bucket": BUCKET_S,
        "most": LATE_BUCKETS_MAX,
    }
    return Question(sql=_LATE, parameters=values, seconds_max=LIVE_S)


def oldest_request(since_ms: int) -> Question:
    """Ask when the oldest request ended that is kept.

    Rows: one, `ended_unix_ms`; 0 if there is none.

    Args:
        since_ms: Older ones are not looked at, unix milliseconds.
    """
    return Question(sql=_OLDEST, parameters={"since": since_ms}, seconds_max=LIVE_S)


def _asked(sql: str, slos: Sequence[str], **values: int) -> Question:
    if not 0 < len(slos) <= OBJECTIVES_MAX:
        raise ValueError(f"{len(slos)} objectives; allowed are 1 to {OBJECTIVES_MAX}")
    return Question(sql=sql, parameters={"slos": list(slos), **values}, seconds_max=PAGE_S)


_TABLE = "inferometer.slo_minutes"
_ASKED = ("slo IN {slos:Array(String)}", "t >= toDateTime({since:Int64})")
_SERIES = ("slo", "group_key", "definition_hash")
_COUNTED_UNTIL = Select(
    columns=[
        "slo",
        "definition_hash",
        "toInt64(toUnixTimestamp(min(t))) AS since_unix_s",
        "toInt64(toUnixTimestamp(max(t))) + {bucket:Int64} AS until_unix_s",
    ],
    source=_TABLE,
    where=_ASKED,
    group_by=["slo", "definition_hash"],
    order_by=["slo", "definition_hash"],
).text()
_LAST = Select(
    columns=[
        *_SERIES,
        "toInt64(toUnixTimestamp(t)) AS at_s",
        "argMax(m.eligible, m.revision) AS eligible",
        "argMax(m.good, m.revision) AS good",
        "argMax(m.censored_bad, m.revision) AS censored_bad",
        "argMax(arraySum(mapValues(m.excluded)), m.revision) AS excluded",
        "max(m.revision) AS revision",
    ],
    source=f"{_TABLE} AS m",
    where=[*_ASKED, "t < toDateTime({until:Int64})"],
    group_by=[*_SERIES, "t"],
)
_BUCKETS = Select(
    columns=[*_SERIES, "at_s AS t_unix_s", "eligible", "good", "censored_bad", "excluded", "revision"],
    source=_LAST,
    order_by=["slo", "group_key", "at_s"],
).text()
_WITHIN = (*_ASKED, "t < toDateTime({until:Int64})")
_SPAN = (
    "{since:Int64} + intDiv(toInt64(toUnixTimestamp(t)) - {since:Int64}, {length:Int64}) * {length:Int64} AS t_unix_s"
)
_REVISED = Select(columns=["slo", "group_key", "t"], source=_TABLE, where=[*_WITHIN, "revision > 0"])
# As in `telemetry.queries.burn`: of four weeks of a thousand objectives the store cannot look at each bucket by itself.
_FIRST_SUMS = Select(
    columns=[*_SERIES, _SPAN, "toInt64(sum(m.eligible)) AS eligible", "toInt64(sum(m.good)) AS good"],
    source=f"{_TABLE} AS m",
    where=[*_WITHIN, "revision = 0"],
    group_by=[*_SERIES, "t_unix_s"],
)
_CORRECTIONS = Select(
    columns=[
        *_SERIES,
        _SPAN,
        "toInt64(argMax(m.eligible, m.revision)) - toInt64(argMin(m.eligible, m.revision)) AS eligible",
        "toInt64(argMax(m.good, m.revision)) - toInt64(argMin(m.good, m.revision)) AS good",
    ],
    source=f"{_TABLE} AS m",
    where=[*_WITHIN, f"(slo, group_key, t) IN (\n{_REVISED.text()}\n)"],
    group_by=[*_SERIES, "t"],
)
_SUMS = Select(
    columns=[*_SERIES, "t_unix_s", "sum(spans.eligible) AS eligible", "sum(spans.good) AS good"],
    source=f"(\n{_FIRST_SUMS.text()}\nUNION ALL\n{_CORRECTIONS.text()}\n) AS spans",
    group_by=[*_SERIES, "t_unix_s"],
    order_by=["slo", "group_key", "t_unix_s"],
).text()
_OLDEST = Select(
    columns=["toUnixTimestamp64Milli(min(ended_at)) AS ended_unix_ms"],
    source="inferometer.requests",
    where=["ended_at >= fromUnixTimestamp64Milli({since:Int64})"],
).text()
_LATE = Select(
    columns=["intDiv(toUnixTimestamp(ended_at), {bucket:Int64}) * {bucket:Int64} AS t_unix_s", "count() AS rows"],
    source="inferometer.requests",
    where=[
        "ingested_at >= fromUnixTimestamp64Milli({ingested:Int64})",
        *ENDED_WITHIN,
    ],
    group_by=["t_unix_s"],
    order_by=["t_unix_s DESC"],
    tail="LIMIT {most:UInt32}",
).text()
