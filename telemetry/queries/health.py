"""Knows the questions about the telemetry itself: who is heard, where the records are; refuses to judge objectives.

Totals of a heartbeat begin again with each boot, so what happened in a window is, per boot, the last total less the
first one in it: a lost heartbeat loses nothing but what a boot did before its first one. Those of the pipeline
(accepted, stored, dropped, frames) are the collector's, equal in all rows that it writes in a second.

Source: spec/store.md 3 (heartbeats), 12 (accounting identity); spec/slo.md 7 (coverage, fresh within 2 min).
"""

from telemetry.queries.question import LIVE_S, PAGE_S, Question

FRESH_MS = 120_000
"""Age from which on a collector is stale (spec/slo.md 7)."""
NOW_MS = 10_000
"""Age up to which a heartbeat says what is in flight now."""
EXPECTED_MS = 86_400_000
"""A collector that was heard within this time is expected to be heard."""


def coverage(at_ms: int) -> Question:
    """Ask which share of the collectors of each endpoint is heard.

    Rows: `endpoint`, `model`, `workload_class`, `n` (collectors expected), `n_fresh`, `coverage` (n_fresh / n),
    `silent` (names of the others), `watermark_unix_ms` (every request that ended before it is stored, over the fresh
    ones; NULL without one), `lag_ms` (how far it is behind), `heard_unix_ms` (last heartbeat of all).

    Args:
        at_ms: The present, or the instant asked about, unix milliseconds.
    """
    values = {"at": at_ms, "fresh_ms": FRESH_MS, "expected_ms": EXPECTED_MS}
    return Question(sql=_COVERAGE, parameters=values, seconds_max=LIVE_S)


def in_flight(at_ms: int) -> Question:
    """Ask what is in flight at each endpoint, by the last heartbeat of every collector that is heard.

    Rows: `endpoint`, `in_flight`, `waiting_first`, `waiting_age_h` and `in_flight_age_h` (bucket to requests).

    Args:
        at_ms: The instant, unix milliseconds.
    """
    return Question(sql=_IN_FLIGHT, parameters={"at": at_ms, "fresh_ms": NOW_MS}, seconds_max=LIVE_S)


def telemetry_health(since_ms: int, until_ms: int) -> Question:
    """Ask where the records of each collector are.

    Rows: `collector`, `accepted`, `stored`, `dlq`, `dropped` (reason to count), `frames_dropped`,
    `unparsed_conns`, all of the window; `spooled`, `watermark_unix_ms`, `rss_bytes`, `boot` of the last heartbeat;
    `loop_lag_us_max`; `residue` of the accounting identity since the boot: accepted less stored, spooled, dropped and
    dlq, 0 once everything is accounted for.

    Args:
        since_ms: Start of the window, unix milliseconds, included.
        until_ms: End, excluded.
    """
    return Question(sql=_HEALTH, parameters={"since": since_ms, "until": until_ms}, seconds_max=PAGE_S)


# Whoever was heard within the day is told by minutes: a day of seconds is sixty times as much. A minute is known by its
# last heartbeat, so only the one that the instant lies in has to be read in seconds.
_COVERAGE = """\
SELECT
    endpoint,
    model,
    workload_class,
    count() AS n,
    countIf(is_fresh) AS n_fresh,
    n_fresh / n AS coverage,
    arraySort(groupArrayIf(toString(collector), NOT is_fresh)) AS silent,
    if(n_fresh = 0, NULL, toUnixTimestamp64Milli(minIf(beat.2, is_fresh))) AS watermark_unix_ms,
    {at:Int64} - watermark_unix_ms AS lag_ms,
    toUnixTimestamp64Milli(max(beat.1)) AS heard_unix_ms
FROM
(
    SELECT
        collector,
        endpoint,
        model,
        workload_class,
        max(last) AS beat,
        beat.1 > fromUnixTimestamp64Milli({at:Int64} - {fresh_ms:Int64}) AS is_fresh
    FROM
    (
        SELECT collector, endpoint, model, workload_class, max(s.newest) AS last
        FROM inferometer.r_heartbeats_1m AS s
        WHERE t >= toStartOfMinute(fromUnixTimestamp64Milli({at:Int64} - {expected_ms:Int64}))
          AND t < toStartOfMinute(fromUnixTimestamp64Milli({at:Int64}))
        GROUP BY collector, endpoint, model, workload_class
        HAVING last.1 > fromUnixTimestamp64Milli({at:Int64} - {expected_ms:Int64})
        UNION ALL
        SELECT collector, endpoint, model, workload_class, tuple(max(ts), argMax(watermark, ts)) AS last
        FROM inferometer.heartbeats
        WHERE ts >= toStartOfMinute(fromUnixTimestamp64Milli({at:Int64}))
          AND ts <= fromUnixTimestamp64Milli({at:Int64})
        GROUP BY collector, endpoint, model, workload_class
    )
    GROUP BY collector, endpoint, model, workload_class
)
GROUP BY endpoint, model, workload_class
ORDER BY endpoint, model, workload_class"""

_IN_FLIGHT = """\
SELECT
    endpoint,
    sum(running) AS in_flight,
    sum(waiting) AS waiting_first,
    sumMap(waiting_h) AS waiting_age_h,
    sumMap(running_h) AS in_flight_age_h
FROM
(
    SELECT
        endpoint,
        argMax(h.in_flight, ts) AS running,
        argMax(h.waiting_first, ts) AS waiting,
        argMax(h.waiting_age_h, ts) AS waiting_h,
        argMax(h.in_flight_age_h, ts) AS running_h
    FROM inferometer.heartbeats AS h
    WHERE ts > fromUnixTimestamp64Milli({at:Int64} - {fresh_ms:Int64})
      AND ts <= fromUnixTimestamp64Milli({at:Int64})
    GROUP BY collector, endpoint, model, workload_class
)
GROUP BY endpoint
ORDER BY endpoint"""

# Of all the heartbeats of a boot only the first and the last one are read, since its totals only grow; minutes, and at
# the ends of the window seconds, say which these are.
_HEALTH = """\
WITH
    fromUnixTimestamp64Milli({since:Int64}) AS since,
    fromUnixTimestamp64Milli({until:Int64}) AS until,
    boots AS
    (
        SELECT collector, boot, min(q.first) AS first, max(q.last) AS last, max(q.lag_us) AS lag_us
        FROM
        (
            SELECT collector, boot, min(s.oldest) AS first, max(s.newest.1) AS last, max(s.loop_lag_us_max) AS lag_us
            FROM inferometer.r_heartbeats_1m AS s
            WHERE t >= since
              AND t < toStartOfMinute(until)
            GROUP BY collector, boot
            UNION ALL
            SELECT collector, boot, min(ts) AS first, max(ts) AS last, max(h.loop_lag_us_max) AS lag_us
            FROM inferometer.heartbeats AS h
            WHERE ts >= since
              AND ts < until
              AND (ts < toStartOfMinute(since) + INTERVAL 1 MINUTE OR ts >= toStartOfMinute(until))
            GROUP BY collector, boot
        ) AS q
        GROUP BY collector, boot
    )
SELECT
    collector,
    sum(accepted_in) AS accepted,
    sum(stored_in) AS stored,
    sum(dlq_in) AS dlq,
    sumMap(dropped_in) AS dropped,
    sum(frames_in) AS frames_dropped,
    sum(unparsed_in) AS unparsed_conns,
    argMax(spooled_now, boot) AS spooled,
    toUnixTimestamp64Milli(argMax(newest, boot)) AS watermark_unix_ms,
    argMax(rss_now, boot) AS rss_bytes,
    max(b.lag_us) AS loop_lag_us_max,
    argMax(residue_now, boot) AS residue,
    max(boot) AS last_boot
FROM
(
    SELECT
        collector,
        boot,
        max(accepted_total) - min(accepted_total) AS accepted_in,
        max(stored_total) - min(stored_total) AS stored_in,
        max(dlq_total) - min(dlq_total) AS dlq_in,
        mapSubtract(
            argMax(CAST(dropped_total, 'Map(String, UInt64)'), ts),
            argMin(CAST(dropped_total, 'Map(String, UInt64)'), ts)
        ) AS dropped_in,
        max(tee_frames_dropped_total) - min(tee_frames_dropped_total) AS frames_in,
        max(unparsed_conns_total) - min(unparsed_conns_total) AS unparsed_in,
        argMax(spooled, ts) AS spooled_now,
        max(watermark) AS newest,
        argMax(rss_bytes, ts) AS rss_now,
        argMax(
            toInt64(accepted_total) - toInt64(stored_total) - toInt64(spooled) - toInt64(dlq_total)
                - toInt64(arraySum(mapValues(dropped_total))),
            ts
        ) AS residue_now
    FROM inferometer.heartbeats
    WHERE (collector, ts) IN (SELECT collector, arrayJoin([first, last]) FROM boots)
    GROUP BY collector, boot
) AS a
INNER JOIN boots AS b USING (collector, boot)
GROUP BY collector
ORDER BY collector"""
