"""Percentiles, shares and heat maps: roll-ups against raw rows, and raw rows against Python."""

from collections import Counter
from typing import cast

import pytest
from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry import histogram
from telemetry.histogram import US_MAX
from telemetry.percentile import rank
from telemetry.queries.asked import Asked, Dim, Metric, Pick, Source
from telemetry.queries.buckets import PERCENTILES_PPM, POPULATIONS
from telemetry.queries.latency import fraction_below, heat_map, percentiles
from telemetry.record import RequestRecord

ASKED = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, by=(Dim.ENDPOINT, Dim.MODEL))
BUCKETED = tuple(Source)


def of(source: Source, *, exact: bool = False) -> Pick:
    return Pick(source=source, exact=exact, since_ms=SINCE_MS, until_ms=UNTIL_MS)


def without_provenance(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{name: value for name, value in row.items() if name not in {"table_used", "method"}} for row in rows]


def members(records: list[RequestRecord], metric: Metric) -> tuple[list[float], list[float]]:
    """Seconds of both populations, ascending."""
    ok = [getattr(one, f"{metric}_us") for one in records if one.outcome == "ok"]
    values = sorted(us / 1e6 for us in ok if us is not None)
    return values, values + [float("inf")] * sum(one.eligible == "bad" for one in records)


@pytest.mark.parametrize("metric", list(Metric))
def test_exact_percentiles_are_nearest_ranks(stored: Stored, metric: Metric) -> None:
    rows = stored.rows(percentiles(ASKED, of(Source.RAW, exact=True), metric))

    assert 6 == len(rows)
    for row in rows:
        mine = [one for one in stored.records if (one.endpoint, one.model) == (row["endpoint"], row["model"])]
        for name, values in zip(POPULATIONS, members(mine, metric), strict=True):
            expected = [values[rank(ppm, len(values)) - 1] for ppm in PERCENTILES_PPM]

            assert len(values) == row[f"n_{name}"]
            assert expected == pytest.approx(row[f"{name}_s"])
            assert row[f"{name}_s"] == row[f"{name}_low_s"] == row[f"{name}_high_s"]
            assert [0.0] * len(PERCENTILES_PPM) == row[f"{name}_error_ratio_max"]
        assert (len(mine), "requests", "exact") == (row["n"], row["table_used"], row["method"])


@pytest.mark.parametrize("metric", list(Metric))
def test_every_table_gives_the_same_bucketed_answer_and_it_holds_the_exact_one(stored: Stored, metric: Metric) -> None:
    exact = stored.rows(percentiles(ASKED, of(Source.RAW, exact=True), metric))
    sources = BUCKETED if metric is Metric.TTFT else (Source.RAW, Source.R_1H)
    answers = [stored.rows(percentiles(ASKED, of(source), metric)) for source in sources]

    for source, rows in zip(sources, answers, strict=True):
        assert {(source.value, "bucketed")} == {(row["table_used"], row["method"]) for row in rows}
        assert without_provenance(rows) == without_provenance(answers[0])
    for row, truth in zip(answers[0], exact, strict=True):
        assert [row[name] for name in ("n", "n_ok", "n_all", "n_bad")] == [
            truth[name] for name in ("n", "n_ok", "n_all", "n_bad")
        ]
        for name in POPULATIONS:
            columns = [cast("list[float]", row[f"{name}_{end}"]) for end in ("s", "low_s", "high_s", "error_ratio_max")]
            for value, s, low, high, error in zip(cast("list[float]", truth[f"{name}_s"]), *columns, strict=True):
                assert low < value <= high or low == value == high
                assert s == value or abs(s / value - 1) <= error <= 0.0443


def test_a_series_has_one_row_per_step(stored: Stored) -> None:
    asked = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, step_s=600)
    raw, rolled = (stored.rows(percentiles(asked, of(source), Metric.TTFT)) for source in (Source.RAW, Source.R_1M))

    assert [SINCE_MS // 1000 + 600 * at for at in range(18)] == [row["t_unix_s"] for row in raw]
    assert without_provenance(raw) == without_provenance(rolled)


def test_a_window_without_rows_has_no_groups_and_filters_filter(stored: Stored) -> None:
    empty = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, where={Dim.MODEL: ("absent",)})
    one = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, where={Dim.MODEL: ("it's",), Dim.REPLICA: ("10.0.0.1:8000",)})
    mine = [record for record in stored.records if (record.model, record.replica) == ("it's", "10.0.0.1:8000")]

    assert [] == stored.rows(percentiles(empty, of(Source.RAW, exact=True), Metric.TTFT))
    assert [] == stored.rows(percentiles(empty, of(Source.R_1H), Metric.TTFT))
    assert [len(mine)] == [row["n"] for row in stored.rows(percentiles(one, of(Source.RAW), Metric.TTFT))]


def test_of_a_metric_that_nobody_reported_there_is_no_percentile(stored: Stored) -> None:
    asked = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, where={Dim.MODEL: ("small",)}, by=(Dim.PROMPT_LENGTH,))
    refused = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, by=(Dim.RUN_ID,), traffic="probe")

    assert ["", "64", "512", "8192"] == sorted(
        (str(row["prompt_length"]) for row in stored.rows(percentiles(asked, of(Source.RAW), Metric.TTFT))), key=len
    )
    assert [] == stored.rows(percentiles(refused, of(Source.RAW), Metric.TTFT))


@pytest.mark.parametrize("threshold_us", [1, 250_000, 300_000, US_MAX])
def test_a_fraction_from_buckets_holds_the_exact_one(stored: Stored, threshold_us: int) -> None:
    exact = stored.rows(fraction_below(ASKED, of(Source.RAW, exact=True), Metric.TTFT, threshold_us))
    answers = [stored.rows(fraction_below(ASKED, of(source), Metric.TTFT, threshold_us)) for source in BUCKETED]

    assert all(without_provenance(rows) == without_provenance(answers[0]) for rows in answers)
    for row, truth in zip(answers[0], exact, strict=True):
        mine = [one for one in stored.records if (one.endpoint, one.model) == (row["endpoint"], row["model"])]
        ok, everyone = members(mine, Metric.TTFT)
        n_below = sum(value <= threshold_us / 1e6 for value in ok)

        assert (n_below / len(ok), n_below / len(everyone)) == (truth["ok_below"], truth["all_below"])
        for name in POPULATIONS:
            low, value, high = (cast("float", row[f"{name}_{end}"]) for end in ("below_low", "below", "below_high"))
            assert low <= cast("float", truth[f"{name}_below"]) <= high
            assert low <= value <= high
    if threshold_us == 250_000:  # the end of a bucket (spec/store.md 4.2)
        assert [row["all_below"] for row in exact] == pytest.approx([row["all_below"] for row in answers[0]])


def test_a_threshold_is_bounded() -> None:
    for threshold_us in (0, US_MAX + 1):
        with pytest.raises(ValueError, match="a threshold of"):
            fraction_below(ASKED, of(Source.R_1M), Metric.TTFT, threshold_us)


def test_heat_map_cells_are_the_histogram(stored: Stored) -> None:
    asked = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, step_s=3600)
    answers = [stored.rows(heat_map(asked, of(source), Metric.SRV_QUEUE)) for source in BUCKETED]
    expected = Counter(
        (one.ended_at // 3_600_000 * 3600, histogram.index(one.srv_queue_us))
        for one in stored.records
        if one.outcome == "ok" and one.srv_queue_us is not None
    )

    assert dict(expected) == {(row["t_unix_s"], row["bucket"]): row["n"] for row in answers[0]}
    assert all(without_provenance(rows) == without_provenance(answers[0]) for rows in answers)
    assert (0.0, 0.0) == (answers[0][0]["low_s"], answers[0][0]["high_s"])
    assert cast("float", answers[0][1]["low_s"]) < 0.001 <= cast("float", answers[0][1]["high_s"])
