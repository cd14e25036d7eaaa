"""Knows the questions about what probes found; refuses to know what follows from it.

Source: spec/store.md 3 (probe_results); spec/slo.md 5 (`endpoint_down`), 7 (probe ok, none, failing).
"""

from telemetry.queries.question import LIVE_S, Question, Select

PROBES_MAX = 20
"""Results of each target that are told, newest first."""


def last_probes(since_ms: int, until_ms: int) -> Question:
    """Ask for the last results of every target that is probed as users would: completions and health.

    Rows: `target`, `ats_unix_ms` and `oks`, newest first, `PROBES_MAX` at most.

    Args:
        since_ms: Start of the window, unix milliseconds, excluded.
        until_ms: End, included.
    """
    values = {"since": since_ms, "until": until_ms, "most": PROBES_MAX, "probes": ["completion", "health"]}
    return Question(sql=_LAST, parameters=values, seconds_max=LIVE_S)


_NEWEST = Select(
    columns=[
        "target",
        "arraySlice(arrayReverseSort(groupArray((toUnixTimestamp64Milli(ts), ok))), 1, {most:UInt32}) AS newest",
        "arrayMap(one -> one.1, newest) AS ats_unix_ms",
        "arrayMap(one -> one.2, newest) AS oks",
    ],
    source="inferometer.probe_results",
    where=[
        "ts > fromUnixTimestamp64Milli({since:Int64})",
        "ts <= fromUnixTimestamp64Milli({until:Int64})",
        "probe IN {probes:Array(String)}",
    ],
    group_by=["target"],
    order_by=["target"],
)
_LAST = Select(columns=["target", "ats_unix_ms", "oks"], source=_NEWEST).text()
