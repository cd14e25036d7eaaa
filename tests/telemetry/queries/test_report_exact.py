from telemetry import queries


def test_a_percentile_has_its_least_n() -> None:
    # spec/measurement.md 11: n >= 1 / (1 - p).
    assert [queries.rank_floor(quantile) for quantile in queries.QUANTILES] == [1, 20, 100]


def test_a_report_looks_past_its_window_for_streams_that_had_tokens_in_it() -> None:
    assert queries.report(0, 1).parameters["tail_ms"] == queries.TOKEN_BINS_S_MAX * 1000


def test_a_live_view_asks_the_same_and_gives_up_earlier() -> None:
    live, whole = queries.top(0, 1, traffic="probe"), queries.report(0, 1, traffic="probe")

    assert (live.sql, live.parameters) == (whole.sql, whole.parameters)
    assert (2.0, 60.0) == (live.seconds_max, whole.seconds_max)
