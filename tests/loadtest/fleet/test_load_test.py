"""Says how much one simulated replica carries."""

import pytest
from engines import asks, fleet

from loadtest.fleet.load_test import NEAR_RATIO, goodput
from loadtest.fleet.simulation import simulate
from loadtest.fleet.spec import FleetSpec
from loadtest.scaling_profile import Limits

SPEC = fleet(3, limits=Limits(ttft_s=0.5, tpot_s=0.1, target=0.99))


@pytest.mark.parametrize("start_rps", [1.0, 300.0])
def test_from_below_and_from_above_the_same_rate_is_found(start_rps: float) -> None:
    found = goodput(SPEC, asks(50, 1.0), start_rps)
    reference = goodput(SPEC, asks(50, 1.0), 10.0)

    assert found is not None
    assert reference is not None
    assert found.rps == pytest.approx(reference.rps, rel=NEAR_RATIO - 1)
    assert found.attainment >= 0.99
    # Little: 0.12 s each when idle, up to 0.5 s and more near the limit.
    assert 0.12 * found.rps < found.in_flight < 0.7 * found.rps


def test_nothing_is_found_where_one_alone_is_too_slow() -> None:
    spec = FleetSpec(engine=SPEC.engine, replicas=1, limits=Limits(ttft_s=0.001, tpot_s=None, target=0.99))

    assert goodput(spec, asks(50, 1.0), 1.0) is None
    assert 0.0 == simulate(spec, [asks(5, 1.0)]).attainment
