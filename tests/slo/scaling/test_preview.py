"""What an autoscaler makes of a number (acceptance A7)."""

import pytest

from slo.scaling.preview import Preview, Swallowed, preview, value_type_warning, value_type_would_set


@pytest.mark.parametrize(
    ("replicas", "desired", "swallowed", "would_set"),
    [
        pytest.param(11, 12, Swallowed.YES, 11, id="11 to 12 is 1.091"),
        pytest.param(9, 10, Swallowed.NO, 10, id="9 to 10 is 1.111"),
        pytest.param(10, 11, Swallowed.EDGE, 11, id="10 to 11 is 1.1 exactly"),
        pytest.param(20, 22, Swallowed.EDGE, 22, id="20 to 22 too"),
        pytest.param(10, 9, Swallowed.YES, 10, id="10 to 9 is 0.9"),
        pytest.param(12, 11, Swallowed.YES, 12, id="12 to 11"),
        pytest.param(4, 6, Swallowed.NO, 6, id="the hint of the specification"),
        pytest.param(4, 4, Swallowed.NO, 4, id="no change"),
        pytest.param(0, 0, Swallowed.NO, 0, id="nothing stays nothing"),
        pytest.param(0, 1, Swallowed.YES, 0, id="no autoscaler starts from 0"),
        pytest.param(2, 0, Swallowed.NO, 0, id="to none"),
    ],
)
def test_what_becomes_of_a_change(replicas: int, desired: int, swallowed: Swallowed, would_set: int) -> None:
    found = preview(replicas, desired)

    assert (swallowed, would_set) == (found.swallowed, found.would_set)
    assert (swallowed is Swallowed.NO) is (not found.text)


def test_a_tolerance_of_0_swallows_nothing() -> None:
    assert Preview(tolerance=0, would_set=12, swallowed=Swallowed.NO) == preview(11, 12, 0)


def test_the_words() -> None:
    assert preview(11, 12).text == "your +1 will be swallowed by the 10% tolerance; set behavior.tolerance 0"
    assert "your -1" in preview(10, 9).text


def test_the_type_value_multiplies_by_the_ready_replicas() -> None:
    assert 18 == value_type_would_set(6, 3)
    assert "type Value would set 18, not 6; use AverageValue with target 1" == value_type_warning(6, 3)
    assert value_type_warning(6, 1) is None
