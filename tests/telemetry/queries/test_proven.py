"""The interval of a percentile of few requests, by the store, against the binomial law in Python."""

import pytest
from query_store import Stored

from loadtest.quantiles import interval
from telemetry.percentile import certain_from
from telemetry.queries import proven
from telemetry.queries.buckets import PERCENTILES_PPM
from telemetry.queries.question import Question, Select

SHOWN = [one for one in PERCENTILES_PPM if certain_from(one) <= proven.FEW]
SIZES = (0, 1, 2, 5, 6, 10, 11, 20, 59, 63, 71, 72, 73, 100, 129, 130, 367, 368, 369, 661, 662, 5_000)


def told(stored: Stored, n: int, failures: int = 0) -> dict[str, object]:
    """Return what the store says of the values 1 to n, and failures beyond them."""
    value = "if(r > n_values, inf, toFloat64(r))"
    columns = proven.columns("all", value, value)
    source = Select(
        columns=[f"toUInt64({n}) AS n_values", "n_values AS n_ok", f"toUInt64({n + failures}) AS n_all"],
        source="system.one",
    )
    (row,) = stored.rows(Question(sql=Select(given=proven.given(), columns=columns, source=source).text()))
    return row


@pytest.mark.parametrize("n", SIZES)
def test_ends_are_those_of_the_binomial_law(stored: Stored, n: int) -> None:
    row = told(stored, n)
    for place, ppm in enumerate(PERCENTILES_PPM):
        expected = interval([float(one + 1) for one in range(n)], ppm)
        found = [row[f"all_{end}_s"][place] for end in ("from", "to")]  # type: ignore[index]  # arrays
        is_asked = 0 < n < min(certain_from(ppm), proven.FEW)

        assert ([expected.low, expected.high] if is_asked else [None, None]) == found, (n, ppm)


def test_an_end_that_falls_on_a_failure_is_infinite(stored: Stored) -> None:
    row = told(stored, 97, failures=3)
    place = PERCENTILES_PPM.index(950_000)

    assert interval([float(one + 1) for one in range(97)], 950_000, failures=3).low == row["all_from_s"][place]  # type: ignore[index]  # an array
    assert float("inf") == row["all_to_s"][place]  # type: ignore[index]  # an array


def test_nothing_bounds_a_percentile_of_too_few(stored: Stored) -> None:
    """The largest value of n is above p with 1 - p^n, and only then is it a bound."""
    for ppm in SHOWN:
        p = ppm / 1e6
        least = next(n for n in range(1, 1_000) if p**n <= 0.025)
        if least >= certain_from(ppm):
            continue
        ends = [told(stored, n)["all_to_s"][PERCENTILES_PPM.index(ppm)] for n in (least - 1, least)]  # type: ignore[index]  # arrays

        assert [None, float(least)] == ends
