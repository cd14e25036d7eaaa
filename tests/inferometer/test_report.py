"""From rows to groups: which percentile is shown, refused or fails, and over which time rates are taken."""

import json
from math import inf

import pytest
from report_rows import FAILING, NOTHING, Row, few, row

from inferometer.report import CERTAIN_FROM, FAILS, Group, Window, document, error_ratio_max, exact_rows, groups

WINDOW = Window(since_ms=940_000, until_ms=1_060_000)


def one(**changed: object) -> Group:
    [group] = groups([row(**changed)], WINDOW)  # type: ignore[arg-type]  # columns by name
    return group


def test_a_healthy_row_becomes_seconds() -> None:
    spread = one().spreads["ttft"]

    assert spread.values_s == {"p50": 0.02, "p95": 0.04, "p99": 0.05}
    assert (spread.n, spread.max_s, spread.refused, spread.population) == (300, 0.06, {}, "all")


@pytest.mark.parametrize(
    ("n", "refused"),
    [
        # Floors: p50 2, p95 20, p99 100 (spec/ui.md 4).
        pytest.param(1, {"p50": "n too small (1 < 2)", "p95": "n too small (1 < 20)", "p99": "n too small (1 < 100)"}),
        pytest.param(2, {"p95": "n too small (2 < 20)", "p99": "n too small (2 < 100)"}),
        pytest.param(19, {"p95": "n too small (19 < 20)", "p99": "n too small (19 < 100)"}),
        pytest.param(20, {"p99": "n too small (20 < 100)"}),
        pytest.param(99, {"p99": "n too small (99 < 100)"}),
        pytest.param(100, {}),
    ],
)
def test_a_percentile_is_refused_below_its_floor(n: int, refused: dict[str, str]) -> None:
    spread = one(spreads={"tpot": few(n)}).spreads["tpot"]

    assert refused == spread.refused
    assert {name for name, value in spread.values_s.items() if value is None} == set(refused)


@pytest.mark.parametrize(
    ("n", "expected"), [(10, ("p50",)), (100, ("p95", "p99")), (130, ("p99",)), (661, ("p99",)), (662, ())]
)
def test_a_percentile_is_uncertain_below_its_certification(n: int, expected: tuple[str, ...]) -> None:
    # p50 11, p95 130, p99 662: spec/measurement.md 11.
    assert CERTAIN_FROM == {"p50": 11, "p95": 130, "p99": 662}
    assert expected == one(spreads={"tpot": few(n)}).spreads["tpot"].uncertain


def test_a_percentile_that_falls_on_a_failure_fails_and_the_successful_ones_are_told_apart() -> None:
    group = one(spreads={"ttft": FAILING})

    assert group.spreads["ttft"].values_s == {"p50": 0.02, "p95": 0.04, "p99": None}
    assert group.spreads["ttft"].refused == {"p99": FAILS}
    assert group.spreads["ttft"].fails == ("p99",)
    assert group.ok_only["ttft"].values_s["p99"] == 0.05
    assert (group.spreads["ttft"].n, group.ok_only["ttft"].n) == (300, 294)


def test_a_metric_without_observations_has_no_value_and_no_maximum() -> None:
    spread = one(spreads={"tpot": NOTHING}).spreads["tpot"]

    assert set(spread.values_s.values()) == {None}
    assert spread.max_s is None
    assert spread.refused["p50"] == "n too small (0 < 2)"


@pytest.mark.parametrize(
    ("observing_since_ms", "first_ms", "expected_s"),
    [
        pytest.param(None, 1_000_000, 120.0, id="not known since when: the whole window"),
        pytest.param(1_030_000, 0, 30.0, id="from the start of recording"),
        pytest.param(900_000, 1_000_000, 120.0, id="recording since before the window"),
        pytest.param(1_030_000, 1_000_000, 60.0, id="an earlier run recorded too"),
        pytest.param(2_000_000, 0, 0.0, id="recording began after the window"),
    ],
)
def test_rates_are_taken_over_the_observed_time(
    observing_since_ms: int | None, first_ms: int, expected_s: float
) -> None:
    window = Window(since_ms=940_000, until_ms=1_060_000, observing_since_ms=observing_since_ms)

    assert expected_s == window.seconds(first_ms)


def test_tokens_per_second_count_what_came_in_the_window() -> None:
    group = one()

    assert (group.seconds, group.tokens_out_per_s, group.tokens_in_per_s) == (120.0, 20.0, 50.0)
    [none] = groups([row()], Window(since_ms=5, until_ms=5, observing_since_ms=5))
    assert (none.tokens_out_per_s, none.tokens_in_per_s) == (0.0, 0.0)


def test_the_global_group_has_no_names_and_filters_leave_it_out() -> None:
    rows = [row("a", "m"), row("b", "m"), row("b", "k"), row("", "")]

    assert [(group.endpoint, group.model) for group in groups(rows, WINDOW)] == [
        *[("a", "m"), ("b", "m"), ("b", "k")],
        (None, None),
    ]
    assert [group.is_global for group in groups(rows, WINDOW)][-1]
    assert [group.model for group in groups(rows, WINDOW, endpoint="b")] == ["m", "k"]
    assert [group.endpoint for group in groups(rows, WINDOW, model="m")] == ["a", "b"]


def test_an_empty_store_has_no_groups() -> None:
    assert groups([row("", "", n=0, first_unix_ms=0)], WINDOW) == []


def test_outcomes_are_ordered_by_number_then_name() -> None:
    group = one(outcomes={"b": 1, "ok": 5, "a": 1})

    assert list(group.outcomes.items()) == [("ok", 5), ("a", 1), ("b", 1)]


def test_the_document_has_what_the_issue_asks_for_and_no_infinity() -> None:
    told = document(groups([row(spreads={"ttft": FAILING}), row("", "")], WINDOW), WINDOW)
    read = json.loads(json.dumps(told, allow_nan=False))
    first, last = read["groups"]

    assert {"endpoint", "model", "n", "ttft_s", "tpot_s", "e2e_s", "stall_s", "outcomes"} <= set(first)
    assert {"tokens_in", "tokens_out", "tokens_out_per_s", "in_stream", "provenance"} <= set(first)
    assert (first["ttft_s"]["p50"], first["ttft_s"]["p99"], first["ttft_s"]["inf"]) == (0.02, None, ["p99"])
    assert (first["ttft_s"]["source"], first["ttft_s"]["quality"]) == (["tee"], {"exact": 300})
    assert first["ttft_s"]["ok_only"]["p99"] == 0.05
    assert first["tpot_s"]["tok_source"] == {"usage": 300}
    assert "ok_only" not in first["tpot_s"]
    assert (last["endpoint"], last["model"]) == (None, None)


def test_an_empty_document_says_why() -> None:
    told = document([], WINDOW, "nothing came")

    assert (told["groups"], told["note"]) == ([], "nothing came")


def rolled(metric: str, **changed: object) -> Row:
    """A row of `telemetry.queries.report_rolled`: 300 requests, p50 20 ms, p95 40 ms, p99 50 ms."""
    counts = {
        name: value for name, value in row().items() if not name.startswith(("ttft", "tpot", "e2e", "icl", "tok_"))
    }
    values: dict[str, object] = {"us_max": 60_000, "n_ok_metric": 294, "n_all_metric": 300}
    for population, last in (("ok", 0.05), ("all", inf)):
        values[f"{population}_s"] = [0.02, 0.03, 0.04, last, last]
        values[f"{population}_error_ratio_max"] = [0.01, 0.02, 0.03, 0.0 if last == inf else 0.04, 0.0]
    return counts | {"metric": metric} | values | changed


def test_rows_of_a_roll_up_become_those_of_a_report_with_their_errors() -> None:
    rows = exact_rows([rolled(metric) for metric in ("e2e", "icl_max", "tpot", "ttft")])
    [group] = groups(rows, WINDOW)
    spread = group.spreads["ttft"]

    assert spread.values_s == {"p50": 0.02, "p95": 0.04, "p99": None}
    assert spread.error_ratio_max == {"p50": 0.01, "p95": 0.03}
    assert (spread.n, spread.max_s, spread.fails, spread.method) == (300, 0.06, ("p99",), "bucketed")
    assert (group.ok_only["ttft"].n, group.ok_only["ttft"].values_s["p99"]) == (294, 0.05)
    assert group.provenance == {name: {} for name in ("ttft_source", "ttft_quality", "tok_source", "tok_time_quality")}
    assert error_ratio_max([group]) == 0.04
    assert error_ratio_max([]) == error_ratio_max([one()]) == 0.0


def test_a_roll_up_s_group_without_values_refuses_them() -> None:
    nothing = {"us_max": None, "n_ok_metric": 0, "n_all_metric": 0, "ok_s": [None] * 5, "all_s": [None] * 5}
    errors = {"ok_error_ratio_max": [None] * 5, "all_error_ratio_max": [None] * 5}
    rows = exact_rows([rolled("tpot", **nothing, **errors), *(rolled(name) for name in ("e2e", "icl_max", "ttft"))])
    spread = groups(rows, WINDOW)[0].spreads["tpot"]

    assert set(spread.values_s.values()) == {None}
    assert (spread.max_s, spread.method, spread.error_ratio_max) == (None, "exact", {})


def test_the_document_says_what_was_read_and_how_exact_it_is() -> None:
    exact = json.loads(json.dumps(document(groups([row()], WINDOW), WINDOW), allow_nan=False))
    minutes = Window(since_ms=940_000, until_ms=1_060_000, table="r_1m")
    rows = exact_rows([rolled(metric) for metric in ("e2e", "icl_max", "tpot", "ttft")])
    told = json.loads(json.dumps(document(groups(rows, minutes), minutes), allow_nan=False))

    assert ("requests", "exact") == (exact["table"], exact["groups"][0]["ttft_s"]["method"])
    assert ("r_1m", "bucketed") == (told["table"], told["groups"][0]["ttft_s"]["method"])
    assert {"p50": 0.01, "p95": 0.03} == told["groups"][0]["ttft_s"]["error_ratio_max"]
    assert [] == told["groups"][0]["ttft_s"]["source"]
