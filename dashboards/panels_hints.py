"""Knows the panels about scaling hints over time: what they expected, how they turned out; refuses other pages.

The hint of now, its reasons and its preview are the object that `/v1/hints/{target}` answers.

Source: spec/ui.md 5 (hint.forecast, hint.history); spec/scaling.md 6.5 (proposals), 6.9 (cold starts); spec/store.md 3
(hints, hint_scores).
"""

from dashboards.asks_engine import conditions, parameters
from dashboards.asks_starts import OF_TARGET, PHASES, starts
from dashboards.columns import TIME, instant, key, number, numbers, text
from telemetry.panel import Column, Document, Kind, Page, Panel, Reads, Role, Unit
from telemetry.queries.asked import Asked, Pick
from telemetry.queries.question import Question, Select

HINTS_SHOWN = 1_000
"""Hints of one answer, newest first."""


def _forecast(asked: Asked, _pick: Pick) -> Question:
    figures = ", ".join(f"JSONExtract(s.payload, {path}, 'Nullable(Float64)')" for path in _FIGURES.values())
    last = Select(
        columns=[
            "intDiv(toUnixTimestamp(s.instant), {step_s:UInt32}) * {step_s:UInt32} AS t_unix_s",
            "s.target AS of_target",
            f"argMax(tuple({figures}, s.ready, s.desired), s.instant) AS told",
        ],
        source="inferometer.hints AS s",
        where=[*conditions("s.instant", ()), OF_TARGET],
        group_by=["t_unix_s", "of_target"],
    )
    values = {name: f"told.{at}" for at, name in enumerate((*_FIGURES, "ready", "desired"), 1)}
    capacity = values.pop("goodput")
    ready, desired = values.pop("ready"), values.pop("desired")
    lead = values.pop("lead")
    values |= {"capacity": f"{capacity} * {ready}", "capacity_desired": f"{capacity} * {desired}"}
    found = Select(
        columns=[
            "t_unix_s AS t",
            *(f"sumOrNull({text}) AS {name}" for name, text in values.items()),
            f"maxOrNull({lead}) AS lead",
        ],
        source=last,
        group_by=["t_unix_s"],
        order_by=["t"],
    )
    return Question(sql=found.text(), parameters=parameters(asked))


_FIGURES = {
    "demand": "'signals', 'arrivals_rps', 'value'",
    "expected_p50": "'forecast', 'p50_rps'",
    "expected_p95": "'forecast', 'p95_rps'",
    "goodput": "'capacity', 'goodput_rps'",
    "lead": "'forecast', 'lead_s'",
}
"""Numbers of a hint by where they stand in it, as in `telemetry.queries.hint_records`."""


def _history(asked: Asked, _pick: Pick) -> Question:
    scored = Select(
        columns=[
            *("s.target AS of_target", "s.hint_id AS hint_id"),
            # A tuple, since of a column alone argMax would pass over a NULL.
            "argMax(tuple(s.applied, s.demand_per_s, s.held, s.missed_minutes), s.at) AS score",
        ],
        source="inferometer.hint_scores AS s",
        where=["s.at >= fromUnixTimestamp64Milli({since:Int64})", OF_TARGET],
        group_by=["s.target", "s.hint_id"],
    )
    issued = Select(
        columns=["s.*", "s.target AS of_target"],
        source="inferometer.hints AS s",
        where=[*conditions("s.issued_at", ()), OF_TARGET],
        order_by=["s.issued_at DESC", "s.target", "s.hint_id"],
        tail=f"LIMIT 1 BY s.target, s.hint_id\nLIMIT {HINTS_SHOWN}",
    )
    found = Select(
        columns=[
            *("toUnixTimestamp(s.issued_at) AS at", "toString(s.target) AS target", "toString(s.action) AS action"),
            *("s.ready AS ready", "s.warming AS warming", "s.desired AS desired", "s.confidence AS confidence"),
            "arrayStringConcat(s.reasons, ', ') AS reasons",
            "arrayStringConcat(s.vetoes, ', ') AS vetoes",
            *("c.score.1 AS applied", "c.score.2 AS came_per_s"),
            "multiIf(isNull(c.score.3), NULL, c.score.3 = 1, 'held', 'exceeded') AS forecast",
            "c.score.4 * 60 AS missed",
        ],
        source=f"(\n{issued.text()}\n) AS s\nLEFT JOIN (\n{scored.text()}\n) AS c USING (of_target, hint_id)",
        order_by=["s.issued_at DESC", "target", "s.hint_id"],
    )
    return Question(sql=found.text(), parameters=parameters(asked))


HINTS = (
    Panel(
        id="hint.forecast",
        title="Demand and capacity",
        page=Page.HINTS,
        question="Will the replicas carry what comes until new ones are ready?",
        unit=Unit.PER_S,
        kind=Kind.LINE,
        columns=(
            TIME,
            *numbers(Unit.PER_S, "demand", "expected_p50", "expected_p95", "capacity", "capacity_desired"),
            Column(name="lead", unit=Unit.SECONDS, role=Role.DETAIL),
        ),
        meaning="What came, what was expected within the lead, what ready and desired replicas carry; of all targets.",
        action="Expected p95 above capacity: follow the hint, or scale that much earlier.",
        reads=Reads.HINTS,
        ask=_forecast,
        has_steps=True,
        unlock={"*": "hints.targets in the configuration, and inferometer load sweep URL for the capacity"},
    ),
    Panel(
        id="hint.starts",
        title="Cold starts",
        page=Page.HINTS,
        question="How long does a replica take, and which phase takes it?",
        unit=Unit.SECONDS,
        kind=Kind.TABLE,
        columns=(key("start"), instant("at"), key("target"), *numbers(Unit.SECONDS, *PHASES), text("note")),
        meaning="Of the last 30 days, newest first. Ready is all of a start, from being asked for: its P90 is the lead"
        " time of hints, the rest are parts of it. Stable is from then on to 50 requests within the objectives. What"
        " nobody told is n/a.",
        action="A phase grew: mend that one. Slow as ever: scale that much earlier, by a schedule.",
        reads=Reads.HINTS,
        ask=starts,
        unlock={
            "*": "hints.targets in the configuration, and the next replica that is asked for; its phases by"
            " POST /v1/hints/TARGET/starts"
        },
    ),
    Panel(
        id="hint.proposals",
        title="Schedules that the past suggests",
        page=Page.HINTS,
        question="Which peaks come again, to be ready for?",
        unit=Unit.PER_S,
        kind=Kind.TABLE,
        columns=(
            key("target"),
            text("why"),
            number("expected", Unit.PER_S),
            *numbers(Unit.COUNT, "held", "days"),
            text("yaml"),
        ),
        meaning="Peaks at the same time of day, a quarter above the level of such days, on four fifths of them; UTC. It"
        " takes 14 days. None is applied by itself.",
        action="Paste one below schedules: of the target, and give it your own time zone.",
        document=Document.PROPOSALS,
        unlock={"*": "hints.targets in the configuration"},
    ),
    Panel(
        id="hint.history",
        title="Hints so far",
        page=Page.HINTS,
        question="What was said before?",
        unit=Unit.REPLICAS,
        kind=Kind.TABLE,
        columns=(
            instant("at"),
            key("target"),
            text("action"),
            *numbers(Unit.REPLICAS, "ready", "warming", "desired"),
            number("confidence", Unit.RATIO),
            text("reasons"),
            text("vetoes"),
            number("applied", Unit.REPLICAS),
            number("came_per_s", Unit.PER_S),
            text("forecast"),
            number("missed", Unit.SECONDS),
        ),
        meaning="Every hint, newest first: what bound it, what held it back; one lead later what came of it.",
        action="Forecasts exceeded in more than 1 of 20: trust it less. Many reversals: lengthen the windows.",
        reads=Reads.HINTS,
        ask=_history,
    ),
)
