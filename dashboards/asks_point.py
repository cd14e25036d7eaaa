"""Knows what the newest load test lets one expect of an endpoint, and where it stands now; refuses to judge the gap.

The curve is of one replica, so the requests of an endpoint are shared among the replicas that its engine metrics show;
without them its place on the curve is unknown. Between two rates the curve is a line, below the lowest it is flat, and
beyond the highest nobody knows. How far a point may be off is what the reports of its runs say.

Source: spec/ui.md 5 (fleet.ttft, ep.load_point); spec/loadtest.md 18, 19.
"""

from dataclasses import replace

from dashboards.asks_curve import FIGURE, aside, figure, planned
from dashboards.asks_engine import engine_steps
from dashboards.asks_engine import parameters as filters
from dashboards.asks_latency import values as percentile_values
from telemetry.queries.asked import Asked, Dim, Metric, Pick, conditions, parameters, table
from telemetry.queries.latency import percentiles
from telemetry.queries.profiles import profiles
from telemetry.queries.question import Question, Select

_CURVE = "JSONExtract(profile_json, 'curve', 'Array(Tuple(rate_rps Float64, ttft_p95_s Nullable(Float64)))')"


def _profiles(asked: Asked) -> str:
    """Return the newest valid profiles of the endpoints that are asked for, as a source."""
    return f"(\n{profiles(asked.until_ms).sql}\n) AS s"


_OF_ENDPOINT = "(empty({only_endpoint:Array(String)}) OR s.target IN {only_endpoint:Array(String)})"


def _named(asked: Asked) -> dict[str, object]:
    return {"only_endpoint": list(asked.where.get(Dim.ENDPOINT, ())), "at": asked.until_ms}


def with_tested(question: Question, asked: Asked) -> Question:
    """Return a question with the TTFT p95 at the capacity of the load test beside each row, and its range up to there.

    Of several endpoints the largest, and the widest range.
    """
    rates = Select(
        columns=["target", "mu_star_per_s AS most", f"arrayJoin({_CURVE}) AS point"],
        source=_profiles(asked),
        where=[_OF_ENDPOINT],
    )
    each = Select(
        columns=[
            "argMax(point.ttft_p95_s, point.rate_rps) AS top",
            *("min(point.ttft_p95_s) AS low", "max(point.ttft_p95_s) AS high"),
        ],
        source=rates,
        where=["isNotNull(point.ttft_p95_s)", "point.rate_rps <= 1.000001 * most"],
        group_by=["target"],
    )
    tested = Select(columns=["maxOrNull(top) AS top", "minOrNull(low) AS low", "maxOrNull(high) AS high"], source=each)
    names = {"tested_p95": "top", "tested_p95_low": "low", "tested_p95_high": "high"}
    found = Select(
        columns=["q.*", *(f"e.{of} AS {name}" for name, of in names.items())],
        source=f"(\n{question.sql}\n) AS q\nCROSS JOIN {aside(tested, 'e')}",
        order_by=["t"],
    )
    return replace(question, sql=found.text(), parameters={**_named(asked), **question.parameters})


def load_point(asked: Asked, pick: Pick) -> Question:
    """Ask for the curve of the newest load test, and where the endpoint stands now."""
    whole = replace(asked, by=(Dim.ENDPOINT,), step_s=None)
    now = percentiles(whole, pick, Metric.TTFT)
    live = {name: f"l.{text}" for name, text in percentile_values("all", only=("p95",)).items()}
    tested = _tested(asked)
    expected = [f"{_between(end)} AS tested_p95{end}" for end in ("", "_low", "_high")]
    point = Select(
        given=[
            "nullIf(e.up, 0) AS up",
            f"l.n / {_SECONDS} / up AS rate",
            "arrayFirstIndex(one -> one >= rate, t.rates) AS above",
            "greatest(above - 1, 1) AS below",
            "t.rates[above] - t.rates[below] AS apart",
            "if(apart = 0, 0, (rate - t.rates[below]) / apart) AS part",
        ],
        columns=[
            *("'now' AS point", "rate AS rate_per_s", *expected),
            *(f"toNullable({text}) AS {name}" for name, text in live.items()),
            *("w.tokens_in / l.n / t.tokens_in AS prompt_ratio", "w.tokens_out / l.n / t.tokens_out AS output_ratio"),
            "toNullable(up) AS replicas",
        ],
        source=f"{aside(tested, 't')}\nINNER JOIN (\n{now.sql}\n) AS l ON l.endpoint = t.target"
        f"\nLEFT JOIN {aside(_mix(whole, pick), 'w')} ON w.endpoint = t.target"
        f"\nLEFT JOIN {aside(_up(whole), 'e')} ON e.endpoint = t.target",
    )
    curve = Select(
        columns=[
            *("'tested' AS point", "toNullable(one.1) AS rate_per_s"),
            *("one.2 AS tested_p95", "one.3 AS tested_p95_low", "one.4 AS tested_p95_high"),
            *(f"CAST(NULL, 'Nullable({'UInt64' if name == 'n' else 'Float64'})') AS {name}" for name in live),
            *(f"CAST(NULL, 'Nullable(Float64)') AS {name}" for name in ("prompt_ratio", "output_ratio", "replicas")),
        ],
        source=Select(columns=["arrayJoin(arrayZip(rates, p95, p95_low, p95_high)) AS one"], source=tested),
    )
    names = ["point", "rate_per_s", "tested_p95", "tested_p95_low", "tested_p95_high", *live]
    names += ["prompt_ratio", "output_ratio", "replicas"]
    both = [Select(columns=names, source=one).text() for one in (curve, point)]
    found = Select(
        columns=["*"],
        source=f"(\n{f'{chr(10)}UNION ALL{chr(10)}'.join(both)}\n)",
        order_by=["point DESC", "rate_per_s"],
    )
    values = {**_named(asked), **filters(replace(whole, step_s=60)), **parameters(whole, pick)}
    return Question(sql=found.text(), parameters=values)


_SECONDS = "(({until:Int64} - {since:Int64}) / 1000)"


def _tested(asked: Asked) -> Select:
    """Return the newest profile, one row: rates in order, p95 of each with its interval, and the mix."""
    newest = Select(
        columns=[
            *("target", f"{_CURVE} AS curve", "JSONExtract(profile_json, 'run_ids', 'Array(String)') AS run_ids"),
            *(
                f"JSONExtract(profile_json, 'mix', '{of}_mean', 'Nullable(Float64)') AS tokens_{of}"
                for of in ("in", "out")
            ),
        ],
        source=_profiles(asked),
        where=[_OF_ENDPOINT],
        order_by=["made_unix_ms DESC", "target"],
        tail="LIMIT 1",
    )
    runs = Select(
        columns=[
            f"{planned('s')} AS planned",
            f"min({figure('ttft', 'lo')}) AS low",
            f"max({figure('ttft', 'hi')}) AS high",
        ],
        given=[f"JSONExtract(s.report_json, 'metrics', 'Array({FIGURE})') AS figures"],
        source="inferometer.load_runs AS s",
        where=[f"s.run_id IN (\n{Select(columns=['arrayJoin(run_ids)'], source=newest).text()}\n)"],
        group_by=["planned"],
    )
    rates = Select(
        columns=["target", "tokens_in", "tokens_out", "arrayJoin(curve) AS point", "point.1 AS rate"], source=newest
    )
    listed = "arraySort(one -> one.1, groupArray(tuple(rate, point.2, w.low, w.high)))"
    return Select(
        given=[f"{listed} AS points"],
        columns=[
            *("target", "any(tokens_in) AS tokens_in", "any(tokens_out) AS tokens_out"),
            *(
                f"arrayMap(one -> one.{at}, points) AS {name}"
                for at, name in enumerate(("rates", "p95", "p95_low", "p95_high"), 1)
            ),
        ],
        source=f"{aside(rates, 'r')}\nLEFT JOIN {aside(runs, 'w')} ON w.planned = r.rate",
        group_by=["target"],
    )


def _between(end: str) -> str:
    """Return the value of the curve at the rate of now, NULL beyond its highest."""
    of = f"t.p95{end}"
    return f"if(isNull(rate) OR above = 0, NULL, {of}[below] + part * ({of}[above] - {of}[below]))"


def _mix(asked: Asked, pick: Pick) -> Select:
    return Select(
        columns=["endpoint", *(f"toFloat64(sum(s.tokens_{of})) AS tokens_{of}" for of in ("in", "out"))],
        source=table(pick),
        where=conditions(asked, pick),
        group_by=["endpoint"],
    )


def _up(asked: Asked) -> Select:
    """Return how many replicas of each endpoint were up in its last minute."""
    steps = engine_steps(replace(asked, step_s=60))
    newest = Select(columns=["*", "max(t_unix_s) OVER (PARTITION BY endpoint) AS newest"], source=steps)
    return Select(
        columns=["endpoint", "uniqExactIf(replica, t_unix_s = newest AND n_up > 0) AS up"],
        source=newest,
        group_by=["endpoint"],
    )
