"""Which numbers are said: spec/ui.md A1 and A4."""

from math import inf, nan

import pytest

from slo.panel_cells import Cells, Failing, Reason, Refused, Row, Uncertain, cells
from telemetry.panel import Column, Role, Type, Unit
from telemetry.percentile import P50, P90, P95, P99, P999


def percentile(name: str, ppm: int) -> Column:
    return Column(name=name, unit=Unit.SECONDS, ppm=ppm, of="n", largest="max")


COLUMNS = (
    Column(name="t", type=Type.UNIX_S, role=Role.TIME),
    percentile("p50", P50),
    percentile("p95", P95),
    Column(name="p95_low", unit=Unit.SECONDS, role=Role.LOW),
    Column(name="p95_high", unit=Unit.SECONDS, role=Role.HIGH),
    percentile("p99", P99),
)


def row(n: int, **changes: object) -> Row:
    return {"t": 1, "n": n, "max": 2.31, "p50": 0.1, "p95": 0.8, "p95_low": 0.7, "p95_high": 0.9, "p99": 1.5} | changes


def of(*rows: Row, exact: bool = True) -> Cells:
    return cells(COLUMNS, rows, is_exact=exact)


def test_p99_of_99_is_refused_and_told_why() -> None:
    found = of(row(99))

    assert [[1, 0.1, 0.8, None]] == found.rows
    assert [99] == found.n
    expected = Refused(column="p99", reason=Reason.N_TOO_SMALL, rows=(0,), n=99, needed=100, instead="p95", max=2.31)
    assert (expected,) == found.refused


FLOORS = [
    (P50, 1, "refused"), (P50, 2, "uncertain"), (P50, 10, "uncertain"), (P50, 11, "plain"),
    (P90, 9, "refused"), (P90, 10, "uncertain"), (P90, 63, "uncertain"), (P90, 64, "plain"),
    (P95, 19, "refused"), (P95, 20, "uncertain"), (P95, 129, "uncertain"), (P95, 130, "plain"),
    (P99, 99, "refused"), (P99, 100, "uncertain"), (P99, 661, "uncertain"), (P99, 662, "plain"),
    (P999, 999, "refused"), (P999, 1_000, "uncertain"), (P999, 6_635, "uncertain"), (P999, 6_636, "plain"),
]  # fmt: skip


@pytest.mark.parametrize(("ppm", "n", "expected"), FLOORS)
def test_every_percentile_has_two_floors(ppm: int, n: int, expected: str) -> None:
    found = cells((percentile("p", ppm),), [{"p": 1.0, "n": n}], is_exact=True)
    how = "refused" if found.refused else "uncertain" if found.uncertain else "plain"

    assert expected == how
    assert ([[None]] if expected == "refused" else [[1.0]]) == found.rows


def test_what_is_uncertain_is_told_with_its_ends() -> None:
    found = of(row(150), row(200, p99_from=1.2, p99_to=inf), row(400, p99_from=1.1, p99_to=2.3), row(1_000))

    assert (
        Uncertain(column="p99", rows=(0, 1, 2), needed=662, low=(None, 1.2, 1.1), high=(None, None, 2.3)),
    ) == found.uncertain


def test_where_2_percent_fail_p99_fails_and_p95_is_finite() -> None:
    found = of(row(1_000, p99=inf))

    assert [[1, 0.1, 0.8, None]] == found.rows
    assert (Failing(column="p99", rows=(0,)),) == found.inf
    assert () == found.refused


def test_each_step_obeys_and_a_column_is_told_once() -> None:
    found = of(row(1), row(150), row(99), row(1_000))

    refused = {one.column: one.rows for one in found.refused}
    assert {"p50": (0,), "p95": (0,), "p99": (0, 2)} == refused
    assert (
        Uncertain(column="p99", rows=(1,), needed=662, low=(None,), high=(None,)),
        Uncertain(column="p95", rows=(2,), needed=130, low=(None,), high=(None,)),
    ) == tuple(sorted(found.uncertain, key=lambda one: one.rows))
    assert None is found.refused[0].instead


def test_bounds_are_told_where_they_are_no_points_and_go_with_their_value() -> None:
    found = of(row(19), row(20), exact=False)

    assert ["t", "p50", "p95", "p95_low", "p95_high", "p99"] == [one.name for one in found.columns]
    assert [None, None, None] == found.rows[0][2:5]
    assert [0.8, 0.7, 0.9] == found.rows[1][2:5]


def test_neither_nan_nor_infinity_leaves() -> None:
    columns = (Column(name="x", unit=Unit.RATIO), Column(name="h", type=Type.NUMBERS), percentile("p50", P50))
    found = cells(
        columns, [{"x": nan, "h": [1.0, nan, None], "p50": nan, "n": 50}, {"x": -inf, "h": []}], is_exact=True
    )

    assert [[None, [1.0, None, None], None], [None, [], None]] == found.rows
    reasons = {(one.column, one.reason, one.rows) for one in found.refused}
    assert {("x", Reason.NOT_A_NUMBER, (0, 1)), ("p50", Reason.NOT_A_NUMBER, (0,))} == reasons


def test_what_is_not_known_is_null_and_no_reason_is_given() -> None:
    found = cells((Column(name="x", unit=Unit.RATIO), Column(name="w", type=Type.TEXT)), [{"w": 7}], is_exact=True)

    assert [[None, "7"]] == found.rows
    assert ([None], (), ()) == (found.n, found.refused, found.inf)


def test_bounds_of_what_is_no_percentile_are_told_of_exact_answers_too() -> None:
    columns = (
        Column(name="good_per_s", unit=Unit.PER_S),
        Column(name="good_low", unit=Unit.PER_S, role=Role.LOW),
        *COLUMNS[2:5],
    )
    found = cells(columns, [{**row(1_000), "good_per_s": 9.0, "good_low": 8.5}], is_exact=True)

    assert ["good_per_s", "good_low", "p95"] == [one.name for one in found.columns]
    assert [[9.0, 8.5, 0.8]] == found.rows
