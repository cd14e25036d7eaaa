"""Knows how percentiles of several durations are asked for in one pass over a table; refuses to know who shows them.

Each pass over raw rows reads whole granules of every series that has a row in the window, and each pass over a roll-up
whole granules of its histograms, so numbers that stand side by side are read together. Of a window that minutes answer,
whole hours are read of the roll-up of hours: a day is then 24 histograms and at most 120, where it was 1,440. The
arithmetic is that of one duration, over one row for each group and duration.

Source: spec/store.md 4.2 to 4.4; telemetry.queries.latency (populations, errors).
"""

from collections.abc import Sequence

from telemetry.queries import buckets, proven
from telemetry.queries.asked import Asked, Metric, Pick, Source, conditions, key_names, keys, parameters, table
from telemetry.queries.latency import bucketed_columns, exact_columns, exact_figures, histogram_column
from telemetry.queries.question import Question, Select


def side_by_side(asked: Asked, pick: Pick, metrics: Sequence[Metric]) -> Question:
    """Ask for counts and for percentiles of several durations.

    Rows: the group, `n`, `n_good`, `n_bad`; per metric `<metric>_n_ok`, `<metric>_n_all`, `<metric>_max_s` and, per
    population, the arrays `<metric>_<population>_s`, `_low_s`, `_high_s`, `_from_s`, `_to_s`: what `percentiles` calls
    so without the metric.
    """
    inner = _exact(asked, pick, metrics) if pick.exact else _bucketed(asked, pick, metrics)
    names = ["n_ok", "n_all", "max_s", *(f"{one}_{end}" for one in buckets.POPULATIONS for end in _ENDS)]
    found = Select(
        columns=[
            *key_names(asked),
            *(f"any({name}) AS {name}" for name in _COUNTS),
            *(f"anyIf({name}, metric = '{one.value}') AS {one.value}_{name}" for one in metrics for name in names),
        ],
        source=inner,
        group_by=key_names(asked),
    )
    return Question(sql=found.text(), parameters=parameters(asked, pick))


_HOURS_MIN_MS = 4 * 3_600_000
"""Length from which on a window is read by hours."""
_COUNTS = ("n", "n_good", "n_bad")
_ENDS = ("s", "low_s", "high_s", "from_s", "to_s")


def _bucketed(asked: Asked, pick: Pick, metrics: Sequence[Metric]) -> Select:
    raw = pick.source is Source.RAW
    counts = (
        ["count() AS n", "countIf(eligible = 'good') AS n_good", "countIf(eligible = 'bad') AS n_bad"]
        if raw
        else ["sum(s.n) AS n", "sum(s.good) AS n_good", "sum(s.bad) AS n_bad"]
    )
    groups = Select(
        columns=[
            *keys(asked, pick),
            *counts,
            *(f"{histogram_column(metric, pick)} AS h_{metric.value}" for metric in metrics),
        ],
        source=_by_hours(pick) if _has_hours(asked, pick) else table(pick),
        where=conditions(asked, pick),
        group_by=key_names(asked),
        having=["n > 0"],
    )
    each = Select(columns=[*key_names(asked), *_COUNTS, "metric", "h"], source=_spread(groups, metrics, ("h",)))
    return Select(
        given=[*buckets.given("h", "n_bad"), *proven.given()],
        columns=[
            *key_names(asked),
            *_COUNTS,
            *("metric", "n_ok", "n_all"),
            *bucketed_columns(),
            f"{buckets.largest()} AS max_s",
        ],
        source=each,
    )


def _has_hours(asked: Asked, pick: Pick) -> bool:
    """Return whether most of a window that minutes answer is whole hours, and no step wants minutes."""
    return pick.source is Source.R_1M and asked.step_s is None and pick.until_ms - pick.since_ms >= _HOURS_MIN_MS


def _by_hours(pick: Pick) -> str:
    """Return the whole hours of a window from the roll-up of hours, and its ends from that of minutes."""
    first, last = _hour("{since:Int64} + 3599999"), _hour("{until:Int64}")
    hours = Select(columns=["*"], source=f"inferometer.{Source.R_1H.value}", where=[f"t >= {first}", f"t < {last}"])
    ends = Select(
        columns=["*"],
        source=f"inferometer.{pick.source.value}",
        where=[
            "t >= fromUnixTimestamp64Milli({since:Int64})",
            "t < fromUnixTimestamp64Milli({until:Int64})",
            f"(t < {first} OR t >= {last})",
        ],
    )
    return f"(\n{hours.text()}\nUNION ALL\n{ends.text()}\n) AS s"


def _hour(unix_ms: str) -> str:
    return f"fromUnixTimestamp64Milli(intDiv({unix_ms}, 3600000) * 3600000)"


def _exact(asked: Asked, pick: Pick, metrics: Sequence[Metric]) -> Select:
    figures = {metric: exact_figures(metric) for metric in metrics}
    groups = Select(
        columns=[
            *keys(asked, pick),
            "count() AS n",
            "countIf(eligible = 'good') AS n_good",
            "countIf(eligible = 'bad') AS n_bad",
            *(
                f"{text} AS {name}_{metric.value}"
                for metric, columns in figures.items()
                for name, text in columns.items()
            ),
        ],
        source=table(pick),
        where=conditions(asked, pick),
        group_by=key_names(asked),
        having=["n > 0"],
    )
    names = tuple(exact_figures(metrics[0]))
    return Select(
        given=proven.given(),
        columns=[*key_names(asked), *_COUNTS, *("metric", "n_ok", "n_all"), *exact_columns()],
        source=_spread(groups, metrics, names),
    )


def _spread(groups: Select, metrics: Sequence[Metric], names: Sequence[str]) -> str:
    """Return one row for each group and metric out of one for each group, whose columns are `<name>_<metric>`."""
    listed = ", ".join(f"'{metric.value}'" for metric in metrics)
    each = [f"[{', '.join(f'{name}_{metric.value}' for metric in metrics)}] AS {name}" for name in names]
    return f"(\n{groups.text()}\n)\nARRAY JOIN [{listed}] AS metric, {', '.join(each)}"
