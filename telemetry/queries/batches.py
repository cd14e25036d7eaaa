"""Knows how to ask whether rows are stored, and once only; refuses to know what is in them.

Source: spec/store.md 10.5 (ask before retry), 10.9 (belt).
"""

from collections.abc import Sequence

from telemetry.queries.question import REPORT_S, Question

RUNS_MAX = 2_000
"""Runs of sequence numbers in one question; a longer list would pass a server's limit for a form field."""

INSERTS_MAX = 1_000
"""As many inserts are counted at most."""

ROLLUPS_MADE, REBUILT = "roll-ups", "roll-ups rebuilt"
"""Names in `schema_migrations` of what made roll-ups out of rows that were stored before."""


def duplicates() -> Question:
    """Ask how many rows there are, and how many different identities; all three are equal in a sound store."""
    return Question(sql=_DUPLICATES, seconds_max=REPORT_S)


def stored_count(collector: str, runs: Sequence[tuple[int, int]], since_unix_ms: int, until_unix_ms: int) -> Question:
    """Ask how many rows of a batch are stored; the answer's only column is `n`.

    Args:
        collector: Origin of the batch.
        runs: First and last sequence number of each gapless run, ascending, at most `RUNS_MAX`.
        since_unix_ms: Earliest `ended_at` of the batch, unix milliseconds.
        until_unix_ms: Latest `ended_at` of the batch, included.
    """
    if not 0 < len(runs) <= RUNS_MAX:
        raise ValueError(f"{len(runs)} runs of sequence numbers, allowed are 1 to {RUNS_MAX}")
    values = {
        "collector": collector,
        "firsts": [first for first, _ in runs],
        "lasts": [last for _, last in runs],
        "first": runs[0][0],
        "last": runs[-1][1],
        "since": since_unix_ms,
        "until": until_unix_ms,
    }
    return Question(sql=STORED_COUNT, parameters=values)


def inserts_since(collector: str, first: int, last: int, since_unix_ms: int, until_unix_ms: int) -> Question:
    """Ask how many inserts the table took since it took a batch, that one included, up to `INSERTS_MAX`.

    The answer's only column is `n`, 0 if nothing of the batch is there. As long as it is small against the table's
    deduplication window, the batch's token is in it. It is `INSERTS_MAX` if roll-ups were made out of the rows after
    the batch was stored: they hold it, and do not know its token.

    Args:
        collector: Origin of the batch.
        first: First sequence number of the batch.
        last: Last sequence number of the batch.
        since_unix_ms: Earliest `ended_at` of the batch, unix milliseconds.
        until_unix_ms: Latest `ended_at` of the batch, included.
    """
    values = {"collector": collector, "first": first, "last": last, "since": since_unix_ms, "until": until_unix_ms}
    return Question(sql=INSERTS_SINCE, parameters={**values, "most": INSERTS_MAX})


def runs_of(seqs: Sequence[int]) -> list[tuple[int, int]]:
    """Return the gapless runs, first and last, of ascending sequence numbers."""
    runs: list[tuple[int, int]] = []
    for seq in seqs:
        if runs and runs[-1][1] == seq - 1:
            runs[-1] = (runs[-1][0], seq)
        else:
            runs.append((seq, seq))
    return runs


STORED_COUNT = """\
SELECT count() AS n
FROM inferometer.requests
WHERE collector = {collector:String}
  AND seq BETWEEN {first:UInt64} AND {last:UInt64}
  AND ended_at BETWEEN fromUnixTimestamp64Milli({since:Int64}) AND fromUnixTimestamp64Milli({until:Int64})
  AND arrayExists((a, b) -> seq BETWEEN a AND b, {firsts:Array(UInt64)}, {lasts:Array(UInt64)})"""
"""The question that a writer may ask before it sends a batch again (spec/store.md 8.3)."""

# The default of ingested_at is one stamp per insert, so stamps tell inserts apart.
INSERTS_SINCE = """\
WITH
    (
        SELECT minOrNull(ingested_at)
        FROM inferometer.requests
        WHERE collector = {collector:String}
          AND seq BETWEEN {first:UInt64} AND {last:UInt64}
          AND ended_at BETWEEN fromUnixTimestamp64Milli({since:Int64}) AND fromUnixTimestamp64Milli({until:Int64})
    ) AS stored_at,
    (
        SELECT max(applied_at)
        FROM inferometer.schema_migrations
        WHERE name IN ('roll-ups', 'roll-ups rebuilt')
    ) AS rebuilt_at
SELECT if(ifNull(stored_at <= rebuilt_at, 0), {most:UInt64}, count()) AS n
FROM
(
    SELECT DISTINCT collector, ingested_at
    FROM inferometer.requests
    WHERE ingested_at >= stored_at
    LIMIT {most:UInt64}
)"""
"""The other one: whether the token of a stored batch can still be known."""

_DUPLICATES = """\
SELECT
    count() AS n,
    uniqExact(collector, seq) AS n_seq,
    uniqExact(record_id) AS n_record_id
FROM inferometer.requests"""
