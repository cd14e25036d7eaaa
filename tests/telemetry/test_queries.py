import re

import pytest

from telemetry import queries


@pytest.mark.parametrize(
    "question",
    [
        pytest.param(queries.report(0, 1), id="report"),
        pytest.param(queries.top(0, 1, traffic="probe"), id="top"),
        pytest.param(queries.duplicates(), id="duplicates"),
        pytest.param(queries.stored_count("n/e", [(1, 2)], 0, 1), id="stored count"),
    ],
)
def test_a_statement_names_exactly_its_parameters(question: queries.Question) -> None:
    assert set(re.findall(r"\{(\w+):", question.sql)) == set(question.parameters)


def test_a_percentile_has_its_least_n() -> None:
    # spec/measurement.md 11: n >= 1 / (1 - p).
    assert [queries.rank_floor(quantile) for quantile in queries.QUANTILES] == [1, 20, 100]


def test_a_report_looks_past_its_window_for_streams_that_had_tokens_in_it() -> None:
    assert queries.report(0, 1).parameters["tail_ms"] == queries.TOKEN_BINS_S_MAX * 1000


@pytest.mark.parametrize(
    ("seqs", "expected"),
    [
        pytest.param((), [], id="none"),
        pytest.param((5,), [(5, 5)], id="one"),
        pytest.param((5, 6, 7), [(5, 7)], id="a run"),
        pytest.param((5, 6, 8, 10, 11), [(5, 6), (8, 8), (10, 11)], id="with holes"),
    ],
)
def test_runs_of_sequence_numbers(seqs: tuple[int, ...], expected: list[tuple[int, int]]) -> None:
    assert queries.runs_of(seqs) == expected


def test_a_question_about_a_batch_is_bounded() -> None:
    runs = [(2 * at, 2 * at) for at in range(queries.RUNS_MAX)]

    assert queries.stored_count("n/e", runs, 0, 1).parameters["last"] == 2 * queries.RUNS_MAX - 2
    for refused in ([], [*runs, (9999, 9999)]):
        with pytest.raises(ValueError, match="runs of sequence numbers"):
            queries.stored_count("n/e", refused, 0, 1)
