"""Knows the questions about everything that was ever known of an objective's buckets; refuses to judge it.

A backtest needs what an engine knew at each instant: not the last revision of a bucket, but all of them.

Source: spec/store.md 4.5 (`slo_minutes`, revisions); spec/slo.md 15 (lateness replayed).
"""

from telemetry.queries.question import PAGE_S, REPORT_S, Question, Select


def counted_span(slo: str, since_s: int, until_s: int) -> Question:
    """Ask what there is of an objective in [since, until), by the definition that it was counted by.

    Rows: `definition_hash`, `n` (rows), `groups`, `first_unix_s` and `last_unix_s` (starts of the first and the last
    bucket), the definition that was used last first.

    Args:
        slo: The objective.
        since_s: Start, unix seconds.
        until_s: End, excluded.
    """
    return Question(sql=_SPAN, parameters={"slo": slo, "since": since_s, "until": until_s}, seconds_max=PAGE_S)


def revisions(slo: str, definition_hash: int, since_s: int, until_s: int) -> Question:
    """Ask for every revision of the buckets [since, until) of an objective.

    Rows: `group_key`, `t_unix_s`, `revision` (0, or the instant at which late rows were counted in), `eligible`,
    `bad`; oldest bucket first, then in the order of revisions.

    Args:
        slo: The objective.
        definition_hash: The definition that it was counted by.
        since_s: Start, unix seconds.
        until_s: End, excluded.
    """
    values = {"slo": slo, "hash": definition_hash, "since": since_s, "until": until_s}
    return Question(sql=_REVISIONS, parameters=values, seconds_max=REPORT_S)


_WHERE = (
    "slo = {slo:String}",
    "t >= toDateTime({since:Int64})",
    "t < toDateTime({until:Int64})",
)
_SPAN = Select(
    columns=[
        *("definition_hash", "count() AS n", "uniqExact(group_key) AS groups"),
        "toInt64(toUnixTimestamp(min(t))) AS first_unix_s",
        "toInt64(toUnixTimestamp(max(t))) AS last_unix_s",
    ],
    source="inferometer.slo_minutes",
    where=_WHERE,
    group_by=["definition_hash"],
    order_by=["last_unix_s DESC", "definition_hash"],
).text()
_REVISIONS = Select(
    columns=[
        "toString(group_key) AS group_key",
        "toInt64(toUnixTimestamp(t)) AS t_unix_s",
        *("revision", "eligible", "toInt64(eligible) - toInt64(good) AS bad"),
    ],
    source="inferometer.slo_minutes",
    where=[*_WHERE, "definition_hash = {hash:UInt64}"],
    order_by=["t", "group_key", "revision"],
).text()
