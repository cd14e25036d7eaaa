"""Quantities: whole as they are, fractions in thousandths, never less than the number."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.scaling.faces.quantity import quantity


@pytest.mark.parametrize(
    ("value", "expected"),
    [(6, "6"), (0, "0"), (5.42, "5420m"), (14.1, "14100m"), (6.0, "6"), (0.0004, "1m"), (5.9999, "6")],
)
def test_a_number_as_kubernetes_writes_it(value: float, expected: str) -> None:
    assert expected == quantity(value)


@given(st.floats(min_value=0, max_value=1e6))
def test_nothing_is_lost(value: float) -> None:
    found = quantity(value)
    read = Fraction(found.removesuffix("m")) / (1_000 if found.endswith("m") else 1)

    assert 0 <= read - Fraction(str(value)) < Fraction(1, 1_000)
