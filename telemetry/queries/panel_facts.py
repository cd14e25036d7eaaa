"""Knows the questions beside every panel: who looked when, whose requests there were, which engine; refuses to judge.

Source: spec/ui.md 3 (provenance), 4 (states); spec/slo.md 7 (stale after 2 min).
"""

from dataclasses import replace

from telemetry.queries.asked import Asked, Dim, Pick, Source, conditions, parameters, table
from telemetry.queries.question import LIVE_S, Question, Select

LOOKS_S_MIN = 30
"""Shortest time that is told apart when somebody was looking."""
LOOKS_MAX = 20_000
"""Times of one answer."""
_ENGINE_KNOWN_MS = 86_400_000


def traffics(asked: Asked, pick: Pick) -> Question:
    """Ask how many requests of each traffic ended in a window.

    Rows: `traffic`, `n`, `sources` (who timed the first tokens of the successful ones; empty from a roll-up).
    """
    whole = replace(asked, by=(Dim.TRAFFIC,), step_s=None)
    is_raw = pick.source is Source.RAW
    sources = "groupUniqArrayIf(toString(ttft_source), isNotNull(ttft_us))" if is_raw else "emptyArrayString()"
    found = Select(
        columns=[
            "toString(s.traffic) AS traffic",
            f"{'count()' if is_raw else 'sum(s.n)'} AS n",
            f"{sources} AS sources",
        ],
        source=table(pick),
        where=conditions(whole, pick),
        group_by=["s.traffic"],
    )
    return Question(sql=found.text(), parameters=parameters(whole, pick), seconds_max=LIVE_S)


def looks(since_ms: int, until_ms: int, step_s: int, endpoints: tuple[str, ...] = ()) -> Question:
    """Ask in which steps a collector was heard.

    Rows: `t_unix_s`, ascending.

    Args:
        since_ms: Start, unix milliseconds.
        until_ms: End, excluded.
        step_s: Length of a step, at least `LOOKS_S_MIN`.
        endpoints: Only heartbeats of these; none: of any.
    """
    # In a step of whole minutes somebody was heard if in one of its minutes.
    is_rolled = not any(one % 60_000 for one in (since_ms, until_ms, max(step_s, LOOKS_S_MIN) * 1000))
    time, unix_ms = ("t", "toUnixTimestamp(t) * 1000") if is_rolled else ("ts", "toUnixTimestamp64Milli(ts)")
    found = Select(
        columns=[f"intDiv({unix_ms}, {{step_ms:Int64}}) * intDiv({{step_ms:Int64}}, 1000) AS t_unix_s"],
        source="inferometer.r_heartbeats_1m" if is_rolled else "inferometer.heartbeats",
        where=[
            f"{time} >= fromUnixTimestamp64Milli({{since:Int64}})",
            f"{time} < fromUnixTimestamp64Milli({{until:Int64}})",
            "(empty({endpoints:Array(String)}) OR endpoint IN {endpoints:Array(String)})",
        ],
        group_by=["t_unix_s"],
        order_by=["t_unix_s"],
        tail=f"LIMIT {LOOKS_MAX}",
    )
    step_ms = max(step_s, LOOKS_S_MIN) * 1000
    values = {"since": since_ms, "until": until_ms, "step_ms": step_ms, "endpoints": list(endpoints)}
    return Question(sql=found.text(), parameters=values, seconds_max=LIVE_S)


def engines(at_ms: int, endpoints: tuple[str, ...] = ()) -> Question:
    """Ask which engines were scraped in the day before an instant.

    Rows: `endpoint`, `engine`, the last one heard, `n_up` (scrapes that were answered).

    Args:
        at_ms: The instant, unix milliseconds.
        endpoints: Only these; none: all.
    """
    found = Select(
        columns=[
            "toString(s.endpoint) AS endpoint",
            "argMax(toString(s.engine), s.t) AS engine",
            "sum(s.n_up) AS n_up",
        ],
        source="inferometer.r_engine_1m AS s",
        where=[
            "s.t > fromUnixTimestamp64Milli({at:Int64} - {known_ms:Int64})",
            "s.t <= fromUnixTimestamp64Milli({at:Int64})",
            "(empty({endpoints:Array(String)}) OR s.endpoint IN {endpoints:Array(String)})",
        ],
        group_by=["s.endpoint"],
        order_by=["endpoint"],
    )
    values = {"at": at_ms, "known_ms": _ENGINE_KNOWN_MS, "endpoints": list(endpoints)}
    return Question(sql=found.text(), parameters=values, seconds_max=LIVE_S)
