"""Every figure of a request names columns that exist; what its bounds mean is shown on a store in tests/slo."""

import pytest
from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.queries import bounds
from telemetry.queries.bounds import MOST_TOKENS, NEVER_UNKNOWN, UNKNOWN_IS_FINE, Figure
from telemetry.queries.counted import Clause, Counted, counts
from telemetry.schema.requests import REQUESTS


@pytest.mark.parametrize("figure", list(Figure))
def test_a_figure_is_a_column_and_has_two_ends(figure: Figure) -> None:
    assert bounds.column(figure) in {column.name for column in REQUESTS.columns}
    assert bounds.raw(figure).endswith(f" AS {figure.value}_raw")
    low, high = bounds.bounds(figure)

    assert (f" AS {figure.value}_lo", f" AS {figure.value}_hi") == (low[-len(figure) - 7 :], high[-len(figure) - 7 :])
    assert "$" not in low + high


def test_the_low_end_is_never_above_the_high_one(stored: Stored) -> None:
    backwards = ", ".join(f"if({figure.value}_lo > {figure.value}_hi, 2, 0)" for figure in Figure)
    asked = Counted(name="x", good=Clause(sql=f"greatest({backwards})"), figures=tuple(Figure))
    rows = stored.rows(counts([asked], SINCE_MS, UNTIL_MS))

    assert sum(one.eligible != "excluded" for one in stored.records) == sum(int(str(row["eligible"])) for row in rows)
    assert 0 == sum(int(str(row["good"])) for row in rows)


def test_what_is_never_unknown_is_never_fine_to_be_unknown() -> None:
    assert not NEVER_UNKNOWN & UNKNOWN_IS_FINE
    assert 2**32 - 1 == MOST_TOKENS
