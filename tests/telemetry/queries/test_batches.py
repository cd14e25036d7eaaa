import pytest

from telemetry import queries


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


def test_inserts_are_counted_up_to_a_bound() -> None:
    asked = queries.inserts_since("n/e", 1, 9, 0, 1)

    assert asked.sql == queries.INSERTS_SINCE
    assert asked.parameters["most"] == queries.INSERTS_MAX == 1000
