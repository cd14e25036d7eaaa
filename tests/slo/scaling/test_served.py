"""What every transport is handed (spec/scaling.md 3)."""

from dataclasses import replace

import pytest
from scaling_rig import KNOWN, SETTINGS, T0, Follower, changed, observed

from slo.scaling.freshness import Standing
from slo.scaling.hint import encoded
from slo.scaling.served import Served
from slo.scaling.settings import Freeze, Known
from telemetry.scaling import Observation

FROZEN = changed(KNOWN, freeze=Freeze(until_s=T0 + 3_600, who="sre", reason="a test"))


@pytest.mark.parametrize(
    ("seen", "known", "expected"),
    [
        pytest.param(observed(), KNOWN, Standing.FRESH, id="all seen"),
        pytest.param(observed(coverage=0.6), KNOWN, Standing.PARTIAL, id="some are missing"),
        pytest.param(observed(age_s=None), KNOWN, Standing.STALE, id="nothing arrived"),
        pytest.param(observed(coverage=0.6), FROZEN, Standing.FROZEN, id="frozen, some are missing"),
        pytest.param(observed(age_s=None), FROZEN, Standing.FROZEN, id="frozen, nothing arrived"),
    ],
)
def test_what_a_hint_stands_for(seen: Observation, known: Known, expected: Standing) -> None:
    hint = Follower(replace(SETTINGS), known).see(seen)
    served = Served(settings=SETTINGS, hint=hint, body=encoded(hint), expires_unix_s=T0 + 56)

    assert (expected, Standing.STALE) == (served.standing(T0 + 55.9), served.standing(T0 + 56))
    assert (56.0, 0.0) == (served.left_s(T0), served.left_s(T0 + 100))
