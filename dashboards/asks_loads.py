"""Knows how load tests become columns of panels; refuses to judge them.

A run that was handed over twice stands twice; the first row of each counts.

Source: spec/ui.md 5 (lt.*); spec/store.md 3 (load_runs, load_steps); spec/loadtest.md 12.
"""

from dashboards.asks_curve import of_runs, population, values
from telemetry.queries.asked import ENDED_WITHIN, Asked, Pick
from telemetry.queries.question import Question, Select

RUNS_SHOWN = 200
"""Runs of one answer, newest first."""
CURVE_POINTS = 100
"""Points of a distribution."""


def runs(asked: Asked, _pick: Pick) -> Question:
    """Ask for the runs."""
    found = Select(
        columns=[
            "s.run_id AS run_id",
            "toUnixTimestamp(s.started_at) AS started",
            "dateDiff('second', s.started_at, s.ended_at) AS duration",
            *(f"toString(s.{name}) AS {name}" for name in ("target", "model", "fit", "verdict", "gpu_model")),
            "concat(toString(s.engine), ' ', toString(s.engine_version)) AS engine",
            "if(s.flags_hash = 0, NULL, lower(hex(s.flags_hash))) AS flags",
            "g.good_per_s AS good_per_s",
        ],
        source=f"inferometer.load_runs AS s\nLEFT JOIN (\n{_GOOD.text()}\n) AS g USING (run_id)",
        where=_where(),
        order_by=["s.started_at DESC", "s.run_id"],
        tail=f"LIMIT 1 BY s.run_id\nLIMIT {RUNS_SHOWN}",
    )
    return Question(sql=found.text(), parameters=values(asked))


def fit(asked: Asked, _pick: Pick) -> Question:
    """Ask whether the client kept up, phase by phase."""
    found = Select(
        columns=[
            *("s.run_id AS run_id", "s.step AS step", "toString(s.kind) AS kind"),
            *("s.sched_lag_p99_us / 1000000 AS dispatch_lag_p99", "s.read_lag_p99_us / 1000000 AS read_lag_p99"),
            *("s.offered AS planned", "s.completed AS completed", "s.shed AS shed", "s.offered AS n"),
        ],
        source=f"inferometer.load_steps AS s\nINNER JOIN (\n{_runs().text()}\n) AS r USING (run_id)",
        order_by=["r.started_at DESC", "run_id", "step"],
        tail=f"LIMIT 1 BY s.run_id, s.step\nLIMIT {RUNS_SHOWN}",
    )
    return Question(sql=found.text(), parameters=values(asked))


def latency(asked: Asked, _pick: Pick) -> Question:
    """Ask for the distributions of a run's times: every offered request, failures as infinite, and successes alone."""
    levels = ", ".join(f"{at / CURVE_POINTS - 1e-12:.12f}" for at in range(1, CURVE_POINTS))
    arrays = [
        f"quantilesExactIf({levels})({value}, {member}) AS {name}, countIf({member}) AS {name}_n"
        for name, (value, member) in _CURVES.items()
    ]
    whole = Select(
        columns=arrays,
        source="inferometer.requests AS s",
        where=[*ENDED_WITHIN, "s.traffic = 'loadtest'", *_OF_RUN],
    )
    at = f"arrayJoin(range(1, {CURVE_POINTS})) AS place"
    found = Select(
        columns=[
            f"place / {CURVE_POINTS} AS share",
            *(f"if(isInfinite({name}[place]), NULL, {name}[place] / 1000000) AS {name}_s" for name in _CURVES),
            "ttft_n AS n",
        ],
        source=Select(columns=["*", at], source=whole, where=["ttft_n > 0"]),
        order_by=["share"],
    )
    return Question(sql=found.text(), parameters=values(asked))


def roofline(asked: Asked, _pick: Pick) -> Question:
    """Ask what runs reached of what their setup can give at most, and what limits it; only runs that tell."""
    told = "JSONExtractRaw(s.report_json, 'roofline')"
    shares = {name: f"JSONExtract({told}, '{name}', 'Nullable(Float64)')" for name in ("mbu", "mfu")}
    found = Select(
        columns=[
            *("s.run_id AS run_id", "toUnixTimestamp(s.started_at) AS started"),
            "JSONExtract(s.report_json, 'throughput', 'tokens_out_per_s', 'Nullable(Float64)') AS out_tokens_per_s",
            f"JSONExtract({told}, 'tokens_out_per_s_max', 'Nullable(Float64)') AS achievable_tokens_per_s",
            f"JSONExtract({told}, 'percent', 'Nullable(Float64)') / 100 AS reached_ratio",
            *(f"JSONExtract({told}, '{name}', 'Nullable(String)') AS {name}" for name in ("wall", "remedy", "missing")),
            *(f"{text} AS {name}" for name, text in shares.items()),
            f"arrayStringConcat(JSONExtract({told}, 'fitted', 'Array(String)'), ', ') AS measured",
            "JSONExtractUInt(s.report_json, 'population', 'n') AS n",
        ],
        source="inferometer.load_runs AS s",
        where=[*_where(), f"{told} NOT IN ('', 'null', '{{}}')"],
        order_by=["s.started_at DESC", "s.run_id"],
        tail=f"LIMIT 1 BY s.run_id\nLIMIT {RUNS_SHOWN}",
    )
    return Question(sql=found.text(), parameters=values(asked))


_OF_RUN = [
    f"(empty({{only_{dim}:Array(String)}}) OR s.{dim} IN {{only_{dim}:Array(String)}})"
    for dim in ("run_id", "endpoint")
]
_CURVES = {
    f"{prefix}{name}": population(name, only_ok=only_ok)
    for name in ("ttft", "tpot", "e2e")
    for prefix, only_ok in (("", False), ("ok_", True))
}
_GOOD = Select(
    columns=[
        "run_id",
        "max(good / greatest(dateDiff('millisecond', started_at, ended_at) / 1000, 0.001)) AS good_per_s",
    ],
    source="inferometer.load_steps",
    where=["kind = 'measured'"],
    group_by=["run_id"],
)


def _runs() -> Select:
    return Select(
        columns=["run_id", "min(s.started_at) AS started_at"],
        source="inferometer.load_runs AS s",
        where=_where(),
        group_by=["run_id"],
    )


def _where() -> list[str]:
    return [*of_runs(), *_OF_RUN[:1]]
