"""Knows the questions about durations: percentiles, shares, heat-map cells; refuses to know who draws them.

Two populations: `ok`, successful requests whose value is known, and `all`, these and the requests judged bad, each of
which counts as +infinity. From raw rows a percentile is exact (its bounds are itself, its error 0); from a histogram
it has bounds, and `error_ratio_max` of each value. inf says that the rank falls on a failure, NULL that there is none.

Source: spec/store.md 4.2 to 4.4, 4.6; spec/measurement.md 11.
"""

from collections.abc import Mapping
from dataclasses import replace

from telemetry.histogram import US_MAX
from telemetry.queries import buckets, proven
from telemetry.queries.asked import (
    Asked,
    Metric,
    Pick,
    Source,
    conditions,
    key_names,
    keys,
    parameters,
    provenance,
    table,
)
from telemetry.queries.question import Question, Select
from telemetry.schema import index_sql


def percentiles(asked: Asked, pick: Pick, metric: Metric) -> Question:
    """Ask for p50, p90, p95, p99 and p99.9 of each group.

    Rows: the group, `n` (requests), `n_ok`, `n_all`, `n_bad`; per population arrays `_s`, `_low_s`, `_high_s`,
    `_error_ratio_max`, and `_from_s`, `_to_s` (between these a percentile of few requests lies; NULL where it is
    certain, or nothing bounds it); `max_s` (largest value of a successful request, from a histogram the end of its
    bucket; NULL without one); `table_used`, `method`.
    """
    outer = _exact(asked, pick, metric) if pick.exact else _bucketed(asked, pick, metric)
    return Question(sql=outer.text(), parameters=parameters(asked, pick))


def fraction_below(asked: Asked, pick: Pick, metric: Metric, threshold_us: int) -> Question:
    """Ask which share of each group took at most `threshold_us`.

    Rows: the group, `n`, `n_ok`, `n_all`, `n_bad`; per population `_below`, `_below_low`, `_below_high`; `table_used`,
    `method`. The share is exact from raw rows, and where the threshold ends a bucket.

    Raises:
        ValueError: The threshold is none.
    """
    if not 0 < threshold_us <= US_MAX:
        raise ValueError(f"a threshold of {threshold_us} us; allowed are 1 to {US_MAX}")
    if pick.exact:
        outer = _exact_fraction(asked, pick, metric)
    else:
        outer = Select(
            given=[*buckets.given("h", "n_bad"), *buckets.given_threshold("{threshold_us:UInt64}")],
            columns=[
                *key_names(asked),
                *_COUNTS,
                *(column for population in buckets.POPULATIONS for column in buckets.fraction_columns(population)),
                *provenance(pick),
            ],
            source=_histograms(asked, pick, metric),
            order_by=key_names(asked),
        )
    return Question(sql=outer.text(), parameters=parameters(asked, pick) | {"threshold_us": threshold_us})


def heat_map(asked: Asked, pick: Pick, metric: Metric) -> Question:
    """Ask for the cells of a heat map over successful requests: per step and bucket, how many.

    Rows: the group, `bucket`, `low_s` (excluded), `high_s` (included), `n`; `table_used`, `method`.
    """
    outer = Select(
        columns=[
            *key_names(asked),
            "bucket",
            *buckets.bounds("bucket"),
            "n_in_bucket AS n",
            *provenance(replace(pick, exact=False)),
        ],
        source=f"(\n{_histograms(asked, pick, metric).text()}\n)\n"
        "ARRAY JOIN mapKeys(h) AS bucket, mapValues(h) AS n_in_bucket",
        order_by=[*key_names(asked), "bucket"],
    )
    return Question(sql=outer.text(), parameters=parameters(asked, pick))


_COUNTS = ("n", "n_ok", "n_all", "n_bad")
_LEVELS = ", ".join(f"{ppm / 1e6 - 1e-12:.12f}" for ppm in buckets.PERCENTILES_PPM)
"""As in `telemetry.queries.report_exact`: a little below, and `quantilesExact` takes the nearest rank."""
_LARGEST = "if(n_ok = 0, NULL, max_us / 1000000) AS max_s"


def histogram_column(metric: Metric, pick: Pick) -> str:
    """Return the histogram of a group's successful requests, from a roll-up's or from raw rows."""
    if pick.source is not Source.RAW:
        return f"sumMap(s.{metric.value}_h)"
    one = f"map({index_sql(f'assumeNotNull({metric.value}_us)')}, toUInt64(1))"
    return f"sumMapIf({one}, outcome = 'ok' AND isNotNull({metric.value}_us))"


def _histograms(asked: Asked, pick: Pick, metric: Metric) -> Select:
    raw = pick.source is Source.RAW
    counts = ["count() AS n", "countIf(eligible = 'bad') AS n_bad"] if raw else ["sum(s.n) AS n", "sum(s.bad) AS n_bad"]
    return Select(
        columns=[*keys(asked, pick), *counts, f"{histogram_column(metric, pick)} AS h"],
        source=table(pick),
        where=conditions(asked, pick),
        group_by=key_names(asked),
        having=["n > 0"],
    )


def _bucketed(asked: Asked, pick: Pick, metric: Metric) -> Select:
    return Select(
        given=[*buckets.given("h", "n_bad"), *proven.given()],
        columns=[
            *key_names(asked),
            *_COUNTS,
            *bucketed_columns(),
            f"{buckets.largest()} AS max_s",
            *provenance(pick),
        ],
        source=_histograms(asked, pick, metric),
        order_by=key_names(asked),
    )


def exact_figures(metric: Metric) -> Mapping[str, str]:
    """Return what `exact_columns` needs of a group of raw rows: name to expression."""
    value, quantiles = f"assumeNotNull({metric.value}_us)", f"quantilesExactIf({_LEVELS})"
    return {
        "n_ok": f"countIf({_known(metric)})",
        "n_all": f"countIf({_member(metric)})",
        "ok_us": f"{quantiles}(toFloat64({value}), {_known(metric)})",
        "all_us": f"{quantiles}(if(eligible = 'bad', inf, toFloat64({value})), {_member(metric)})",
        "max_us": f"maxIf({value}, {_known(metric)})",
        "few_us": f"arraySort(groupArrayIf({proven.FEW})(toFloat64({value}), {_known(metric)}))",
    }


def bucketed_columns() -> list[str]:
    """Return the arrays of both populations, of a histogram."""
    return [
        column
        for one in buckets.POPULATIONS
        for column in (
            *buckets.quantile_columns(one),
            *proven.columns(one, buckets.at_rank(one, "0"), buckets.at_rank(one, "1")),
        )
    ]


def exact_columns() -> list[str]:
    """Return the arrays of both populations and `max_s`, of what `exact_figures` names."""
    return [*(column for population in buckets.POPULATIONS for column in _exact_columns(population)), _LARGEST]


def _exact(asked: Asked, pick: Pick, metric: Metric) -> Select:
    inner = Select(
        columns=[
            *keys(asked, pick),
            *("count() AS n", "countIf(eligible = 'bad') AS n_bad"),
            *(f"{text} AS {name}" for name, text in exact_figures(metric).items()),
        ],
        source=table(pick),
        where=conditions(asked, pick),
        group_by=key_names(asked),
        having=["n > 0"],
    )
    return Select(
        given=proven.given(),
        columns=[*key_names(asked), *_COUNTS, *exact_columns(), *provenance(pick)],
        source=inner,
        order_by=key_names(asked),
    )


def _exact_columns(population: str) -> list[str]:
    seconds = f"arrayMap(us -> if(n_{population} = 0, NULL, us / 1000000), {population}_us)"
    ends = ("s", "low_s", "high_s")
    at_rank = "if(r > length(few_us), inf, few_us[r] / 1000000)"
    return [
        *(f"{seconds} AS {population}_{end}" for end in ends),
        buckets.error_column(population),
        *proven.columns(population, at_rank, at_rank),
    ]


def _exact_fraction(asked: Asked, pick: Pick, metric: Metric) -> Select:
    inner = Select(
        columns=[
            *keys(asked, pick),
            *_exact_counts(metric),
            f"countIf({_known(metric)} AND {metric.value}_us <= {{threshold_us:UInt64}}) AS n_below",
        ],
        source=table(pick),
        where=conditions(asked, pick),
        group_by=key_names(asked),
        having=["n > 0"],
    )
    shares = [
        f"if(n_{population} = 0, NULL, n_below / n_{population}) AS {population}_{end}"
        for population in buckets.POPULATIONS
        for end in ("below", "below_low", "below_high")
    ]
    return Select(
        columns=[*key_names(asked), *_COUNTS, *shares, *provenance(pick)], source=inner, order_by=key_names(asked)
    )


def _exact_counts(metric: Metric) -> list[str]:
    return [
        "count() AS n",
        f"countIf({_known(metric)}) AS n_ok",
        f"countIf({_member(metric)}) AS n_all",
        "countIf(eligible = 'bad') AS n_bad",
    ]


def _known(metric: Metric) -> str:
    return f"outcome = 'ok' AND isNotNull({metric.value}_us)"


def _member(metric: Metric) -> str:
    return f"(eligible = 'bad' OR ({_known(metric)}))"
