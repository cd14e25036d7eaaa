"""Knows how questions of the store become columns of panels; refuses to know which panels there are.

Source: spec/ui.md 3, 5; telemetry.queries.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from telemetry.outcome import Outcome
from telemetry.panel import Ask, Column, Role, Unit
from telemetry.percentile import P50, P95, P99
from telemetry.queries.asked import Asked, Metric, Pick, Source, conditions, key_names, keys, parameters, table
from telemetry.queries.buckets import PERCENTILES_PPM
from telemetry.queries.latency import heat_map, percentiles
from telemetry.queries.question import Question, Select

SHOWN_PPM = {"p50": P50, "p95": P95, "p99": P99}
"""Percentiles that panels show."""
ENDS = {"": "_s", "_low": "_low_s", "_high": "_high_s", "_from": "_from_s", "_to": "_to_s"}
"""Columns of a percentile by what is told of it: itself, its bucket, and between what it lies where it is uncertain."""
GROUPS: Mapping[str, tuple[Outcome, ...]] = {
    "throttled": (Outcome.RATE_LIMITED, Outcome.OVERLOADED),
    "unreachable": (Outcome.CONNECT_ERROR, Outcome.UNAVAILABLE),
    "slow": (Outcome.TIMEOUT_FIRST_TOKEN, Outcome.TIMEOUT_STREAM),
    "broken": (Outcome.STREAM_ERROR, Outcome.STREAM_TRUNCATED, Outcome.BAD_OUTPUT),
    "fault": (Outcome.ENGINE_DEAD, Outcome.OOM, Outcome.SERVER_ERROR),
    "gave_up": (Outcome.CLIENT_CANCELLED,),
}
"""Outcome groups that are drawn (spec/ui.md 4), worst for the user first or not: in the order of the legend."""


def percentile_columns(
    unit: Unit, *, prefix: str = "", ok_only: bool = False, only: tuple[str, ...] = tuple(SHOWN_PPM)
) -> tuple[Column, ...]:
    """Return the columns of percentiles and their bounds, as `percentiles_of` answers them.

    Args:
        unit: Of the values.
        prefix: Before their names.
        ok_only: Whether failures are left out.
        only: Which of them.
    """
    found: list[Column] = []
    for name in only:
        stem = f"{prefix}{name}"
        found += [
            Column(
                name=stem,
                unit=unit,
                ppm=SHOWN_PPM[name],
                of=f"{prefix}n",
                largest=f"{prefix}max",
                is_ok_only=ok_only,
            ),
            Column(name=f"{stem}_low", unit=unit, role=Role.LOW, is_ok_only=ok_only),
            Column(name=f"{stem}_high", unit=unit, role=Role.HIGH, is_ok_only=ok_only),
        ]
    return tuple(found)


def percentiles_of(metric: Metric, *populations: str) -> Ask:
    """Return how percentiles of one metric over time are asked for.

    Args:
        metric: The metric.
        populations: `all`, `ok`; columns of every one but the first have its name before theirs.
    """

    def ask(asked: Asked, pick: Pick) -> Question:
        return renamed(percentiles(asked, pick, metric), _percentile_columns(asked, populations))

    return ask


def heat_of(metric: Metric) -> Ask:
    """Return how the cells of a heat map are asked for."""

    def ask(asked: Asked, pick: Pick) -> Question:
        columns = ["t_unix_s AS t", "low_s AS low", "high_s AS high", "n AS count", "n"]
        return renamed(heat_map(asked, pick, metric), columns)

    return ask


def renamed(question: Question, columns: list[str], order_by: list[str] | None = None) -> Question:
    """Return a question whose answer has other columns; `q` are the ones that it had."""
    sql = Select(columns=columns, source=f"(\n{question.sql}\n) AS q", order_by=order_by or []).text()
    return replace(question, sql=sql)


def counted(columns: Callable[[Source], list[str]]) -> Ask:
    """Return how sums over requests are asked for, by step and group; a rate is `... / {seconds:Float64}`.

    Args:
        columns: Returns the columns beside the keys, of `requests AS s` or of a roll-up `s`.
    """

    def ask(asked: Asked, pick: Pick) -> Question:
        found = Select(
            columns=[*keys(asked, pick), *columns(pick.source)],
            source=table(pick),
            where=conditions(asked, pick),
            group_by=key_names(asked),
            order_by=key_names(asked),
        )
        seconds = asked.step_s or (pick.until_ms - pick.since_ms) / 1000
        question = Question(sql=found.text(), parameters=parameters(asked, pick) | {"seconds": float(seconds)})
        return question if asked.step_s is None else stepped(question)

    return ask


def stepped(question: Question) -> Question:
    """Return a question whose steps are named `t`; inside, that is a column of the roll-ups."""
    return renamed(question, ["t_unix_s AS t", "* EXCEPT t_unix_s"], ["t"])


def of_group(name: str, source: Source) -> str:
    """Return how many requests ended in an outcome group."""
    words = ", ".join(f"'{one.value}'" for one in GROUPS[name])
    if source is Source.RAW:
        return f"countIf(s.outcome IN ({words}))"
    return " + ".join(f"sumMap(s.outcomes)['{one.value}']" for one in GROUPS[name])


def _percentile_columns(asked: Asked, populations: tuple[str, ...]) -> list[str]:
    found = ["t_unix_s AS t" if one == "t_unix_s" else one for one in key_names(asked)]
    for place, population in enumerate(populations):
        prefix = "" if place == 0 else f"{population}_"
        found += [f"n_{population} AS {prefix}n", f"max_s AS {prefix}max"]
        for name, ppm in SHOWN_PPM.items():
            at = PERCENTILES_PPM.index(ppm) + 1
            found += [f"{population}{of}[{at}] AS {prefix}{name}{end}" for end, of in ENDS.items()]
    return found
