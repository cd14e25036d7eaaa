"""The arithmetic of section 6, value by value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.figures import Stamps, residual_us, scaled, span_us, token_bins, tpot_us
from telemetry.gaps import ArrivalSeries
from telemetry.histogram import US_MAX
from telemetry.outcome import TokTimeQuality

S = 1_000_000_000


def series(*arrivals: tuple[int, int, int]) -> ArrivalSeries:
    made = ArrivalSeries(stall_gap_us=1_000_000)
    for arrival in arrivals:
        made.add(*arrival)
    return made


@pytest.mark.parametrize(
    ("from_ns", "to_ns", "expected"),
    [
        (0, 1_999, 1),
        (5_000, 4_000, 0),
        (None, 1, None),
        (1, None, None),
        (0, US_MAX * 1000, US_MAX),
        (0, US_MAX * 1000 + 1000, US_MAX),
    ],
)
def test_span(from_ns: int | None, to_ns: int | None, expected: int | None) -> None:
    assert expected == span_us(from_ns, to_ns)


def test_the_user_waits_from_the_plan() -> None:
    stamps = Stamps()
    stamps.issue_ns = 5

    assert 5 == stamps.ref_ns

    stamps.sched_ns = 2

    assert 2 == stamps.ref_ns


@pytest.mark.parametrize(
    ("tokens_out", "n_first", "expected"),
    [(5, 1, 250_000), (6, 2, 250_000), (None, 1, None), (1, 1, None), (2, 2, None)],
)
def test_tpot(tokens_out: int | None, n_first: int, expected: int | None) -> None:
    assert expected == tpot_us(series((0, 1, 0), (S, 1, 0)), tokens_out, n_first)


def test_one_arrival_has_no_tpot() -> None:
    assert tpot_us(series((0, 5, 5)), 5, 1) is None


@pytest.mark.parametrize(
    ("service_us", "queue_us", "prefill_us", "expected"),
    [
        (10, 3, 4, (3, False)),
        (10, 5, 6, (None, True)),
        (10, 10, 0, (0, False)),
        (None, 1, 1, (None, False)),
        (1, None, 1, (None, False)),
        (1, 1, None, (None, False)),
    ],
)
def test_residual(
    service_us: int | None, queue_us: int | None, prefill_us: int | None, expected: tuple[int | None, bool]
) -> None:
    assert expected == residual_us(service_us, queue_us, prefill_us)


def test_bins_of_counted_tokens_are_exact() -> None:
    found = token_bins(series((S, 1, 2), (3 * S, 1, 1)), 3, counted=True, end_ns=9 * S)

    assert (1, (2, 0, 1), TokTimeQuality.EXACT) == found


def test_bins_of_uncounted_tokens_follow_the_events() -> None:
    found = token_bins(series((S, 1, 0), (2 * S, 2, 0)), 7, counted=False, end_ns=9 * S)

    assert (1, (2, 5), TokTimeQuality.SCALED) == found


def test_counts_that_do_not_sum_up_are_scaled() -> None:
    found = token_bins(series((S, 1, 1), (2 * S, 1, 1)), 4, counted=True, end_ns=9 * S)

    assert (1, (2, 2), TokTimeQuality.SCALED) == found


def test_tokens_without_arrivals_are_placed_at_the_end() -> None:
    assert (9, (7,), TokTimeQuality.LUMP) == token_bins(series(), 7, counted=False, end_ns=9 * S)


def test_unknown_tokens_have_no_bins() -> None:
    assert (None, (), TokTimeQuality.NONE) == token_bins(series((S, 1, 0)), None, counted=False, end_ns=S)


@given(st.lists(st.integers(0, 1000), min_size=1).filter(any), st.integers(0, 10**6))
def test_scaling_keeps_the_total(bins: list[int], total: int) -> None:
    shares = scaled(bins, total)

    assert total == sum(shares)
    assert all(share >= 0 for share in shares)
