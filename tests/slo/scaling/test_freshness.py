"""What each transport answers (spec/scaling.md 3, acceptance A2)."""

import pytest

from slo.scaling.freshness import ANSWERS, Number, Standing, Transport, standing


@pytest.mark.parametrize(
    ("age_s", "coverage", "expected"),
    [
        pytest.param(4, 1.0, Standing.FRESH, id="all seen"),
        pytest.param(60, 0.9, Standing.FRESH, id="at both edges"),
        pytest.param(60.1, 1.0, Standing.STALE, id="too old"),
        pytest.param(None, 1.0, Standing.STALE, id="nothing arrived"),
        pytest.param(4, 0.89, Standing.PARTIAL, id="some are missing"),
        pytest.param(4, 0.5, Standing.PARTIAL, id="half of them"),
        pytest.param(4, 0.49, Standing.STALE, id="most of them"),
    ],
)
def test_what_is_known(age_s: float | None, coverage: float, expected: Standing) -> None:
    assert expected is standing(age_s, coverage)
    assert Standing.FROZEN is standing(age_s, coverage, frozen=True)


def test_every_cell_of_the_table_is_there() -> None:
    assert set(Standing) == ANSWERS.keys()
    assert all(set(Transport) == row.keys() for row in ANSWERS.values())


@pytest.mark.parametrize("known", [Standing.STALE, Standing.UNREACHABLE, Standing.UNKNOWN])
@pytest.mark.parametrize("asks", [Transport.KEDA, Transport.GRPC, Transport.EXTERNAL_METRICS, Transport.PROMETHEUS])
def test_without_data_no_scaler_is_given_a_number(known: Standing, asks: Transport) -> None:
    answer = ANSWERS[known][asks]

    assert Number.NONE is answer.number
    assert asks in (Transport.EXTERNAL_METRICS, Transport.PROMETHEUS) or answer.status not in ("200", "OK")


def test_keda_gets_503_and_a_person_gets_the_number_that_is_asked_for_now() -> None:
    stale = ANSWERS[Standing.STALE]

    assert ("503", "UNAVAILABLE", "200") == tuple(
        stale[asks].status for asks in (Transport.KEDA, Transport.GRPC, Transport.EXTERNAL_METRICS)
    )
    assert ("200", Number.SPEC) == (stale[Transport.NATIVE].status, stale[Transport.NATIVE].number)
