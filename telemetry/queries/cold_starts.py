"""Knows the questions about starts of replicas: what was told of them, and when they had served so many requests well.

It refuses to put words on one start together.

Source: spec/scaling.md 6.9; spec/store.md 3 (`cold_starts`).
"""

from collections.abc import Sequence

from telemetry.queries.asked import ENDED_WITHIN
from telemetry.queries.question import PAGE_S, Question, Select

WORDS_MAX = 2_000
"""Words on starts of one target in one answer."""


def words(since_ms: int, until_ms: int, targets: Sequence[str]) -> Question:
    """Ask what was told of starts in [since, until).

    Rows: `target`, `at_unix_ms`, `replica`, `schedule_us`, `image_us`, `weights_us`, `init_us`, `ready_us`,
    `stable_us` (each may be NULL), `failed`; newest first, at most `WORDS_MAX` of each target.
    """
    values = {"since": since_ms, "until": until_ms, "targets": list(targets), "most": WORDS_MAX}
    return Question(sql=_WORDS, parameters=values, seconds_max=PAGE_S)


def served_well(
    since_ms: int, until_ms: int, endpoint: str, replica: str, n: int, limits_us: tuple[int | None, int | None]
) -> Question:
    """Ask when a replica had ended so many requests well, of those that ended in [since, until).

    A request without waits between tokens keeps the limit for these; one whose first token is unknown keeps none.

    Rows: one, `n` (at most as many as asked for) and `ended_unix_ms` (when the last of those ended; 0 without any).

    Args:
        since_ms: When it became ready, unix milliseconds.
        until_ms: The instant, excluded.
        endpoint: Whose replica.
        replica: Which.
        n: How many.
        limits_us: For the first token and for each later one; None without one.
    """
    ttft_us, tpot_us = limits_us
    values = {
        "since": since_ms,
        "until": until_ms,
        "endpoint": endpoint,
        "replica": replica,
        "most": n,
        "ttft_us": ttft_us,
        "tpot_us": tpot_us,
    }
    return Question(sql=_SERVED, parameters=values, seconds_max=PAGE_S)


_PHASES = ("schedule", "image", "weights", "init", "ready", "stable")
_WORDS = Select(
    columns=[
        *("toString(c.target) AS target", "toUnixTimestamp64Milli(c.at) AS at_unix_ms"),
        "toString(c.replica) AS replica",
        *(f"c.{phase}_us AS {phase}_us" for phase in _PHASES),
        "failed",
    ],
    source="inferometer.cold_starts AS c",
    where=[
        "c.at >= fromUnixTimestamp64Milli({since:Int64})",
        "c.at < fromUnixTimestamp64Milli({until:Int64})",
        "target IN {targets:Array(String)}",
    ],
    order_by=["c.at DESC", "target", "replica", *(f"{phase}_us" for phase in _PHASES)],
    tail="LIMIT {most:UInt32} BY target",
).text()


def _kept(name: str, *, or_unknown: bool) -> str:
    unknown = "1" if or_unknown else "0"
    limit = f"{{{name}:Nullable(UInt32)}}"
    return f"(isNull({limit}) OR ifNull(r.{name} <= {limit}, {unknown}))"


_FIRST = Select(
    columns=["r.ended_at AS ended"],
    source="inferometer.requests AS r",
    where=[
        *ENDED_WITHIN,
        "endpoint = {endpoint:String}",
        "replica = {replica:String}",
        "outcome = 'ok'",
        _kept("ttft_us", or_unknown=False),
        _kept("tpot_us", or_unknown=True),
    ],
    order_by=["ended"],
    tail="LIMIT {most:UInt32}",
)
_SERVED = Select(
    columns=["count() AS n", "if(n = 0, 0, toUnixTimestamp64Milli(max(ended))) AS ended_unix_ms"], source=_FIRST
).text()
