"""Knows what load tests found at each offered rate; refuses to judge them.

A search tried several rates, each in runs of its own: it is one curve under its own name, and a run of it is no curve
besides. Percentiles of a search are over all requests of a rate; how far they may be off is what the report of a run
says, of several runs of a rate the widest.

    search     rows of `load_steps` whose statistics are a point of a curve; its runs are named after it, with a number
    run        the measured phase of a run that belongs to none

Source: spec/ui.md 5 (lt.knee); spec/loadtest.md 7, 18 (metrics), 19 (curve);
`inferometer.load_columns` (steps), `inferometer.load_step` (names of runs), `loadtest.wilson`.
"""

from telemetry.queries.asked import Asked, Dim, Pick
from telemetry.queries.question import Question, Select

POINTS_SHOWN = 200
"""Points of one answer, those of the newest runs."""
Z_95 = "1.959963984540054"
"""Standard deviations on either side of a 95 % interval, as in `loadtest.wilson`."""
FIGURE = "Tuple(name String, p Float64, value_s Nullable(Float64), lo Nullable(Float64), hi Nullable(Float64))"
"""A percentile of a report."""
SEARCH = "replaceRegexpOne({}, '-[0-9]+$', '')"
"""The search that a run would belong to, by its name."""


def of_runs() -> list[str]:
    """Return which rows of `load_runs AS s` are meant."""
    return [
        "s.started_at >= fromUnixTimestamp64Milli({since:Int64})",
        "s.started_at < fromUnixTimestamp64Milli({until:Int64})",
        *(
            f"(empty({{only_{dim}:Array(String)}}) OR s.{column} IN {{only_{dim}:Array(String)}})"
            for dim, column in (("endpoint", "target"), ("model", "model"))
        ),
    ]


def values(asked: Asked) -> dict[str, object]:
    """Return the values of questions about load tests."""
    dims = (Dim.ENDPOINT, Dim.MODEL, Dim.RUN_ID)
    named: dict[str, object] = {f"only_{dim.value}": list(asked.where.get(dim, ())) for dim in dims}
    return named | {"since": asked.since_ms, "until": asked.until_ms}


def wilson(good: str, n: str) -> tuple[str, str]:
    """Return both ends of the 95 % interval of a share, of which `n` is above 0."""
    square = f"{Z_95} * {Z_95}"
    middle = f"({good} / {n} + {square} / (2 * {n}))"
    half = f"{Z_95} * sqrt({good} / {n} * (1 - {good} / {n}) / {n} + {square} / (4 * {n} * {n}))"
    low, high = (f"least(1, greatest(0, ({middle} {sign} {half}) / (1 + {square} / {n})))" for sign in "-+")
    return low, high


def population(name: str, *, only_ok: bool = False) -> tuple[str, str]:
    """Return the microseconds of a metric of `requests AS s`, failures being infinite, and whether a row has them."""
    value, known = f"assumeNotNull(s.{name}_us)", f"s.outcome = 'ok' AND isNotNull(s.{name}_us)"
    if only_ok:
        return f"toFloat64({value})", known
    return f"if(s.eligible = 'bad', inf, toFloat64({value}))", f"s.eligible = 'bad' OR ({known})"


def aside(one: Select, name: str) -> str:
    """Return an answer as a source with a name."""
    return f"(\n{one.text()}\n) AS {name}"


def planned(run: str) -> str:
    """Return the rate that a run of `load_runs` was to begin with; 0 of a closed loop and of a trace."""
    return f"JSONExtractFloat({run}.plan_json, 'rate', 'points', 1, 2)"


def figure(name: str, part: str) -> str:
    """Return one part of the p95 of a metric of `figures`, those of a report; NULL where it is not known."""
    return f"arrayFirst(one -> one.name = '{name}' AND one.p = 95, figures).{part}"


def points(asked: Asked, _pick: Pick) -> Question:
    """Ask what each offered rate gave: good requests a second, and the p95 of the times, with intervals."""
    return Question(sql=_POINTS, parameters=values(asked))


_RUNS = Select(
    columns=[
        "s.run_id AS run_id",
        f"{SEARCH.format('s.run_id')} AS search",
        "min(s.started_at) AS started_at",
        f"any({planned('s')}) AS planned_per_s",
        f"any(JSONExtract(s.report_json, 'metrics', 'Array({FIGURE})')) AS figures",
    ],
    source="inferometer.load_runs AS s",
    where=of_runs(),
    group_by=["s.run_id"],
)
_IS_SEARCH = "JSONHas(s.stats_json, 'attainment')"
_SEARCHES = Select(
    columns=["s.run_id"],
    source="inferometer.load_steps AS s",
    where=[
        f"s.run_id IN (\n{Select(columns=['search'], source=_RUNS).text()}\n)",
        "s.kind = 'measured'",
        _IS_SEARCH,
    ],
)
_NAMED = Select(
    columns=["*", f"search IN (\n{_SEARCHES.text()}\n) AS of_search", "if(of_search, search, run_id) AS curve"],
    source=_RUNS,
)
_CURVES = Select(
    columns=["curve", "min(started_at) AS began"],
    source=_NAMED,
    given=[
        "{only_run_id:Array(String)} AS named",
        f"arrayConcat(named, arrayMap(one -> {SEARCH.format('one')}, named)) AS meant",
    ],
    where=["(empty(named) OR has(meant, curve))"],
    group_by=["curve"],
)
_SPREADS = Select(
    columns=[
        *("curve", "if(of_search, planned_per_s, 0) AS at_rate"),
        *(
            f"{of}(toNullable({figure(metric, part)})) AS {metric}{name}"
            for metric in ("ttft", "tpot")
            for of, part, name in (("max", "value_s", "_p95"), ("min", "lo", "_low"), ("max", "hi", "_high"))
        ),
    ],
    source=_NAMED,
    group_by=["curve", "at_rate"],
)
_STEPS = Select(
    columns=[
        *("s.run_id AS curve", f"{_IS_SEARCH} AS of_search", "toString(s.state) AS state", "s.offered AS offered"),
        "if(of_search, JSONExtractFloat(s.stats_json, 'rate_rps'), s.rate_per_s) AS rate",
        "if(of_search, rate, 0) AS at_rate",
        "if(s.offered = 0, NULL, rate * s.good / s.offered) AS good_per_s",
        *(
            f"if(s.offered = 0, NULL, rate * {end}) AS good_per_s_{name}"
            for end, name in zip(wilson("s.good", "s.offered"), ("low", "high"), strict=True)
        ),
        *(
            f"JSONExtract(s.stats_json, '{metric}_p95_s', 'Nullable(Float64)') AS {metric}_searched"
            for metric in ("ttft", "tpot")
        ),
    ],
    source="inferometer.load_steps AS s",
    where=[
        f"s.run_id IN (\n{Select(columns=['curve'], source=_CURVES).text()}\n)",
        "s.kind = 'measured'",
        "isNotNull(s.rate_per_s)",
    ],
    tail="LIMIT 1 BY s.run_id, s.step",
)
_MARKS = Select(
    columns=[
        "searched AS curve",
        "argMax(JSONExtractFloat(s.profile_json, 'goodput_rps'), s.made_at) AS goodput_rps",
        "argMax(JSONExtractFloat(s.profile_json, 'knee_rps'), s.made_at) AS knee_rps",
    ],
    source="inferometer.scaling_profiles AS s",
    given=[
        "JSONExtract(s.profile_json, 'run_ids', 'Array(String)') AS run_ids",
        f"{SEARCH.format('run_ids[-1]')} AS searched",
    ],
    where=["(empty({only_endpoint:Array(String)}) OR s.target IN {only_endpoint:Array(String)})"],
    group_by=["searched"],
)
_POINTS = Select(
    given=["['recommended', 'knee'] AS words", "[m.goodput_rps, m.knee_rps] AS rates"],
    columns=[
        *("c.curve AS run_id", "p.rate AS offered_per_s", "p.good_per_s AS good_per_s"),
        *(f"p.good_per_s_{end} AS good_per_s_{end}" for end in ("low", "high")),
        *(
            text
            for metric in ("ttft", "tpot")
            for text in (
                f"if(p.of_search, p.{metric}_searched, w.{metric}_p95) AS {metric}_p95",
                f"w.{metric}_low AS {metric}_p95_low",
                f"w.{metric}_high AS {metric}_p95_high",
            )
        ),
        "p.state AS state",
        "arrayStringConcat(arrayFilter((word, rate) -> rate = p.rate AND p.of_search, words, rates), ', ') AS mark",
        "p.offered AS n",
    ],
    source=f"{aside(_STEPS, 'p')}\nINNER JOIN {aside(_CURVES, 'c')} USING (curve)"
    f"\nLEFT JOIN {aside(_SPREADS, 'w')} USING (curve, at_rate)\nLEFT JOIN {aside(_MARKS, 'm')} USING (curve)",
    order_by=["c.began DESC", "run_id", "offered_per_s"],
    tail=f"LIMIT {POINTS_SHOWN}",
).text()
