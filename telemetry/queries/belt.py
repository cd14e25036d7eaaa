"""Knows how to ask whether rows are there once, all of them, and in the roll-ups; refuses to know how that is mended.

Sequence numbers ascend without holes within a process's life, across the lanes of its spool, and jump by at least
`SEQ_JUMP` at the next start. So a shorter hole is a row that was dropped, set aside or lost, unless the spool has other
lanes, as those have that send probes or heartbeats: their holes are not counted. Who sends heartbeats is accounted for
by `telemetry.queries.health`, in its `residue`.

Source: spec/store.md 10.9 (belt), 11.2 (jump).
"""

from telemetry.queries.question import REPORT_S, Question

SEQ_JUMP = 1 << 20
"""A hole of so many numbers is a start (telemetry.spool)."""
HOUR_MS = 3_600_000


def identities(since_ms: int, until_ms: int) -> Question:
    """Ask how often rows are there twice, and how many are not there.

    Rows: `collector`, `n` (rows), `duplicates` (more rows than identities), `gaps` (numbers without a row between those
    with one; NULL for a spool with other lanes), `gap_unix_ms` (end of a request before the first hole, to within
    65,536 rows; NULL without one).

    Args:
        since_ms: Start of the window of `ended_at`, unix milliseconds, included.
        until_ms: End, excluded; late rows of the last seconds may still be on their way.
    """
    values = {"since": since_ms, "until": until_ms, "around_ms": HOUR_MS, "jump": SEQ_JUMP}
    return Question(sql=_IDENTITIES, parameters=values, seconds_max=REPORT_S)


def rollup_differences(since_ms: int, until_ms: int) -> Question:
    """Ask for the hours whose roll-ups do not count the rows that are there.

    Rows: `hour_unix_s`, `n` (rows), `n_1m`, `n_1h` (rows that the roll-ups count). Hours before the oldest day of the
    raw table are left out: only the roll-ups remember them. On that day, rows that came later than the raw table keeps
    any are a difference too.

    Args:
        since_ms: Start of the first hour, unix milliseconds.
        until_ms: End of the last one, excluded.
    """
    values = {"since": since_ms // 1000, "until": until_ms // 1000}
    return Question(sql=_DIFFERENCES, parameters=values, seconds_max=REPORT_S)


# At the edges of a window the order of numbers and of times differ a little, so rows around it are looked at too.
_IDENTITIES = """\
WITH
    edges AS
    (
        SELECT
            collector,
            min(seq) AS least_seq,
            max(seq) AS most_seq,
            countIf(traffic != 'probe') > 0
                AND collector NOT IN (SELECT h.collector FROM inferometer.heartbeats AS h) AS is_alone
        FROM inferometer.requests
        WHERE ended_at >= fromUnixTimestamp64Milli({since:Int64})
          AND ended_at < fromUnixTimestamp64Milli({until:Int64})
        GROUP BY collector
    ),
    blocks AS
    (
        SELECT
            collector,
            intDiv(seq, 65536) AS block,
            any(is_alone) AS is_alone,
            count() AS rows,
            groupBitmap(seq) AS numbers,
            min(seq) AS first,
            max(seq) AS last,
            min(ended_at) AS earliest
        FROM inferometer.requests
        INNER JOIN edges USING (collector)
        WHERE ended_at >= fromUnixTimestamp64Milli({since:Int64} - {around_ms:Int64})
          AND ended_at < fromUnixTimestamp64Milli({until:Int64} + {around_ms:Int64})
          AND seq BETWEEN least_seq AND most_seq
        GROUP BY collector, block
    ),
    holes AS
    (
        SELECT
            *,
            leadInFrame(first, 1, last + 1) OVER
            (
                PARTITION BY collector ORDER BY block ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
            ) - last - 1 AS after,
            last - first + 1 - numbers + if(after >= {jump:UInt64} - 1, 0, after) AS missing
        FROM blocks
    )
SELECT
    collector,
    sum(rows) AS n,
    sum(rows - numbers) AS duplicates,
    if(any(is_alone), sum(missing), NULL) AS gaps,
    if(gaps > 0, toUnixTimestamp64Milli(minIf(earliest, missing > 0)), NULL) AS gap_unix_ms
FROM holes
GROUP BY collector
ORDER BY collector"""

_DIFFERENCES = """\
SELECT
    hour_unix_s,
    sum(rows) AS n,
    sum(in_1m) AS n_1m,
    sum(in_1h) AS n_1h
FROM
(
    SELECT toUnixTimestamp(toStartOfHour(ended_at)) AS hour_unix_s, count() AS rows, 0 AS in_1m, 0 AS in_1h
    FROM inferometer.requests
    WHERE ended_at >= toDateTime({since:UInt32})
      AND ended_at < toDateTime({until:UInt32})
    GROUP BY hour_unix_s
    UNION ALL
    SELECT toUnixTimestamp(toStartOfHour(t)) AS hour_unix_s, 0, sum(s.n), 0
    FROM inferometer.r_1m AS s
    WHERE t >= toDateTime({since:UInt32})
      AND t < toDateTime({until:UInt32})
    GROUP BY hour_unix_s
    UNION ALL
    SELECT toUnixTimestamp(t) AS hour_unix_s, 0, 0, sum(s.n)
    FROM inferometer.r_1h AS s
    WHERE t >= toDateTime({since:UInt32})
      AND t < toDateTime({until:UInt32})
    GROUP BY hour_unix_s
)
WHERE hour_unix_s >= (SELECT toUnixTimestamp(toStartOfDay(min(ended_at))) FROM inferometer.requests)
GROUP BY hour_unix_s
HAVING n != n_1m OR n != n_1h
ORDER BY hour_unix_s"""
