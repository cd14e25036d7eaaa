"""Says which fleets are refused."""

import pytest
from engines import fleet

from loadtest.fleet.spec import REPLICAS_MAX, ColdStart, Signals


def test_the_largest_fleet_is_allowed() -> None:
    assert REPLICAS_MAX == fleet(REPLICAS_MAX).replicas_max


@pytest.mark.parametrize(
    "wrong",
    [
        {"replicas": REPLICAS_MAX + 1, "replicas_max": REPLICAS_MAX + 1},
        {"replicas": 3, "replicas_max": 2},
        {"replicas": 3, "replicas_min": 4},
        {"cold": ColdStart(fail_ratio=1.0)},
        {"signals": Signals(loss_ratio=1.5)},
    ],
    ids=str,
)
def test_bounds_that_no_fleet_can_keep(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"found .*, allowed"):
        fleet(**wrong)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] -- a table of fields
