import pytest
from load_rows import row

from loadtest.goodput import JOINT, Goodput, Share, goodput, verdict
from loadtest.plan_spec import Objectives
from loadtest.run_spec import Phase
from loadtest.verdict import Verdict
from telemetry.outcome import Flag, Outcome

LIMITS = {"default": Objectives(ttft_s=0.5, tpot_s=0.1)}


def counts(found: Goodput) -> dict[str, tuple[int, int]]:
    return {name: (share.good, share.judged) for name, share in found.shares.items()}


def test_each_objective_and_all_together() -> None:
    found = goodput([row(1), row(2, ttft_us=600_000), row(3, outcome=Outcome.SERVER_ERROR, ttft_us=None)], LIMITS)

    assert (3, 2) == (found.offered, found.completed)
    assert {
        JOINT: (1, 3),
        "default/ttft": (1, 3),
        "default/tpot": (2, 2),
        "default/complete": (2, 3),
    } == counts(found)
    assert (found.joint.low, found.joint.high) == pytest.approx((0.0615, 0.7923), abs=1e-4)  # Wilson of 1 in 3


def test_a_class_without_objectives_must_complete() -> None:
    found = goodput([row(1, ttft_us=9_000_000), row(2, outcome=Outcome.STREAM_TRUNCATED)], {})

    assert {JOINT: (1, 2), "default/complete": (1, 2)} == counts(found)


def test_only_the_population_counts() -> None:
    rows = [row(1, outcome=Outcome.RATE_LIMITED), row(1, attempt=2), row(2, phase=Phase.WARM_UP), row(3, turn=2)]
    found = goodput([*rows, row(4, flags=Flag.ABORTED_BY_PLAN)], LIMITS)

    assert (1, (1, 1)) == (found.offered, counts(found)[JOINT])


def test_who_left_while_within_the_limits_says_nothing() -> None:
    found = goodput([row(1, outcome=Outcome.CLIENT_CANCELLED)], {"default": Objectives(e2e_s=1.0)})

    assert (1, (0, 0)) == (found.offered, counts(found)[JOINT])
    assert Verdict.INCONCLUSIVE is verdict(found.joint, 0.99)


def test_nothing_offered_is_inconclusive() -> None:
    found = goodput([], LIMITS)

    assert Share(good=0, judged=0, low=None, high=None) == found.joint
    assert Verdict.INCONCLUSIVE is verdict(found.joint, 0.99)


@pytest.mark.parametrize(
    ("good", "low", "high", "expected"),
    [
        (990, 0.9817, 0.9946, Verdict.INCONCLUSIVE),
        (1000, 0.996, 1.0, Verdict.PASSED),
        (900, 0.88, 0.917, Verdict.FAILED),
    ],
)
def test_a_share_is_judged_by_its_interval(good: int, low: float, high: float, expected: Verdict) -> None:
    assert expected is verdict(Share(good=good, judged=1000, low=low, high=high), 0.99)
