"""Knows the questions about hints that were made: the last of each target, what became of them; refuses to make any.

Of an instant that two replicas decided the store keeps the row of the first; should it ever hold two, for the replicas
knew different targets, the first by its bytes counts, for everybody.

Source: spec/scaling.md 1 (deterministic; scored afterwards), 2 (history, calibration); spec/store.md 3 (`hints`,
`hint_state`, `hint_acks`, `hint_scores`).
"""

from collections.abc import Sequence

from telemetry.queries.question import PAGE_S, Question, Select

HINTS_MAX = 1_000
"""Hints of one answer."""
ACTS_MAX = 100
"""Acts of one kind about one target of one answer: who reports every minute is not to hide who froze days ago."""
MINUTES_MAX = 200_000
"""Rows of one answer about minutes."""


def last_states(since_ms: int, at_ms: int, targets: Sequence[str]) -> Question:
    """Ask for the last state of each target at or before an instant.

    Rows: `target`, `instant_unix_ms`, `state_json`.

    Args:
        since_ms: How far to look back, unix milliseconds.
        at_ms: The instant.
        targets: Which.
    """
    values = {"since": since_ms, "at": at_ms, "targets": list(targets)}
    return Question(sql=_LAST, parameters=values, seconds_max=PAGE_S)


def history(target: str, since_ms: int, until_ms: int) -> Question:
    """Ask for the hints of a target that were issued in [since, until), each as it was first.

    Rows: `payload`, `scored_unix_ms` (0 if it was not scored yet), `applied`, `demand_per_s`, `held`, `missed_minutes`,
    `gpu_h_delta` (each may be NULL); newest first, at most `HINTS_MAX`.
    """
    values: dict[str, object] = {"target": target, "since": since_ms, "until": until_ms, "most": HINTS_MAX}
    return Question(sql=_HISTORY, parameters=values, seconds_max=PAGE_S)


def minutes(since_ms: int, until_ms: int, targets: Sequence[str]) -> Question:
    """Ask for one instant in each minute of [since, until) that a target was decided.

    Rows: `target`, `t_unix_s` (the instant), `hint_id`, `seq`, `issued_unix_s`, `action`, `spec`, `desired`, and of the
    hint `lead_s`, `p95_rps`, `demand_rps`, `goodput_rps`, `attainment`, `objective` (these may be NULL); oldest first.
    """
    values = {"since": since_ms, "until": until_ms, "targets": list(targets), "most": MINUTES_MAX}
    return Question(sql=_MINUTES, parameters=values, seconds_max=PAGE_S)


def acts(since_ms: int, until_ms: int, targets: Sequence[str]) -> Question:
    """Ask what people and programs did with hints in [since, until).

    Rows: `at_unix_ms`, `hint_id`, `target`, `applied`, `actor`, `kind`, `until_unix_ms` (may be NULL), `reason`;
    newest first, at most `ACTS_MAX` of each kind and target.
    """
    values = {"since": since_ms, "until": until_ms, "targets": list(targets), "most": ACTS_MAX}
    return Question(sql=_ACTS, parameters=values, seconds_max=PAGE_S)


def scores(since_ms: int, until_ms: int, targets: Sequence[str]) -> Question:
    """Ask how hints turned out that were scored in [since, until).

    Rows: `target`, `hint_id`, `scored_unix_ms`, `applied`, `demand_per_s`, `held`, `missed_minutes`, `gpu_h_delta`
    (each may be NULL); newest first, at most `HINTS_MAX` of each target.
    """
    values = {"since": since_ms, "until": until_ms, "targets": list(targets), "most": HINTS_MAX}
    return Question(sql=_SCORES, parameters=values, seconds_max=PAGE_S)


def _within(column: str, end: str = "<") -> list[str]:
    return [
        f"{column} >= fromUnixTimestamp64Milli({{since:Int64}})",
        f"{column} {end} fromUnixTimestamp64Milli({{{'at' if end == '<=' else 'until'}:Int64}})",
    ]


_OF = "target IN {targets:Array(String)}"
_WHEN = Select(
    columns=["target", "max(instant)"],
    source="inferometer.hint_state",
    where=[*_within("instant", "<="), _OF],
    group_by=["target"],
)
# The states themselves are read at those instants alone: a day of them is a thousand times as much.
_LAST = Select(
    columns=["toString(s.target) AS target", "toUnixTimestamp64Milli(s.instant) AS instant_unix_ms", "state_json"],
    source="inferometer.hint_state AS s",
    where=[*_within("s.instant", "<="), _OF, f"(s.target, s.instant) IN (\n{_WHEN.text()}\n)"],
    order_by=["target", "state_json"],
    tail="LIMIT 1 BY target",
).text()
_SCORE_COLUMNS = ("applied", "demand_per_s", "held", "missed_minutes", "gpu_h_delta")
_SCORED = Select(
    columns=[
        *("toString(c.target) AS target", "c.hint_id AS hint_id"),
        "toUnixTimestamp64Milli(max(c.at)) AS scored_unix_ms",
        # A tuple, since of a column alone argMax would pass over a NULL.
        f"argMax(tuple({', '.join(f'c.{name}' for name in _SCORE_COLUMNS)}), c.at) AS score",
    ],
    source="inferometer.hint_scores AS c",
    where=["target = {target:String}", "c.at >= fromUnixTimestamp64Milli({since:Int64})"],
    group_by=["target", "hint_id"],
)
_ISSUED = Select(
    columns=["hint_id", "argMin(h.payload, (h.instant, h.payload)) AS payload", "max(h.issued_at) AS issued"],
    source="inferometer.hints AS h",
    where=["target = {target:String}", *_within("h.issued_at")],
    group_by=["hint_id"],
)
_HISTORY = Select(
    columns=["payload", "scored_unix_ms", *(f"s.score.{at} AS {name}" for at, name in enumerate(_SCORE_COLUMNS, 1))],
    source=f"(\n{_ISSUED.text()}\n) AS h\nLEFT JOIN (\n{_SCORED.text()}\n) AS s USING (hint_id)",
    order_by=["issued DESC", "hint_id"],
    tail="LIMIT {most:UInt32}",
).text()


def _figure(path: str, named: str) -> str:
    keys = ", ".join(f"'{key}'" for key in path.split("."))
    return f"JSONExtract(h.payload, {keys}, 'Nullable(Float64)') AS {named}"


_MINUTES = Select(
    columns=[
        *("toString(h.target) AS target", "intDiv(toUnixTimestamp64Milli(h.instant), 1000) AS t_unix_s"),
        *("hint_id", "seq", "intDiv(toUnixTimestamp64Milli(h.issued_at), 1000) AS issued_unix_s"),
        *("toString(h.action) AS action", "spec", "desired"),
        _figure("forecast.lead_s", "lead_s"),
        _figure("forecast.p95_rps", "p95_rps"),
        _figure("signals.arrivals_rps.value", "demand_rps"),
        _figure("capacity.goodput_rps", "goodput_rps"),
        _figure("slo.attainment_1h", "attainment"),
        _figure("slo.objective", "objective"),
    ],
    source="inferometer.hints AS h",
    where=[*_within("h.instant"), _OF],
    order_by=["target", "h.instant", "payload"],
    tail="LIMIT 1 BY target, intDiv(toUnixTimestamp64Milli(h.instant), 60000)\nLIMIT {most:UInt32}",
).text()
_ACTS = Select(
    columns=[
        "toUnixTimestamp64Milli(a.at) AS at_unix_ms",
        *("hint_id", "toString(a.target) AS target", "applied", "toString(a.actor) AS actor"),
        *("toString(a.kind) AS kind", "toUnixTimestamp64Milli(a.until) AS until_unix_ms", "reason"),
    ],
    source="inferometer.hint_acks AS a",
    where=[*_within("a.at"), _OF],
    order_by=["a.at DESC", "target", "kind", "hint_id"],
    tail="LIMIT {most:UInt32} BY target, kind",
).text()
_ONCE = Select(
    columns=[
        *("toString(c.target) AS target", "hint_id", "toUnixTimestamp64Milli(c.at) AS scored_unix_ms"),
        *(f"c.{name} AS {name}" for name in _SCORE_COLUMNS),
    ],
    source="inferometer.hint_scores AS c",
    where=[*_within("c.at"), _OF],
    order_by=["target", "c.at DESC", "hint_id"],
    tail="LIMIT 1 BY target, hint_id",
)
_SCORES = Select(
    columns=["*"],
    source=_ONCE,
    order_by=["target", "scored_unix_ms DESC", "hint_id"],
    tail="LIMIT {most:UInt32} BY target",
).text()
