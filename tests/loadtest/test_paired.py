"""Pairs: shared out anew by coins, and how often that raises a false alarm."""

import pytest
from load_rows import row

from loadtest.gate import ALPHA, Metric, gate
from loadtest.gate_rows import gated_run
from loadtest.lengths import lognormal
from loadtest.paired import (
    CHANCE,
    RATE_MAX,
    RELABELLINGS,
    RESAMPLES_FEW,
    FalseAlarms,
    arms,
    false_alarms,
    is_alarm,
    relabelled,
)
from loadtest.random_streams import stream
from loadtest.rows import Row
from loadtest.verdict import Verdict
from telemetry.outcome import Outcome

WINDOW_NS = (0, 120_000_000_000)
METRICS = [Metric.TTFT_P50, Metric.TTFT_P95, Metric.TOKENS_PER_S, Metric.BAD_RATIO]


def rows(slower: float = 1.0, n: int = 600) -> list[Row]:
    """Pairs of requests whose TTFT drifts to three times as much; those of the second target are slower."""
    uniform, found = stream(3, "rows"), list[Row]()
    for j in range(n):
        arm = j % 2
        ttft_us = 100_000 * (1 + 2 * j / n) * lognormal(0.2, uniform()) * (slower if arm else 1.0)
        found.append(row(j, at_s=j * 120 / n, ttft_us=round(ttft_us), arm=arm))
    return found


def alarmed(one: list[Row], other: list[Row]) -> bool:
    return is_alarm(gated_run(one, WINDOW_NS, {}), gated_run(other, WINDOW_NS, {}), 1, METRICS)


def test_rows_of_each_target() -> None:
    first, second = arms(rows(n=10))

    assert [0, 2, 4, 6, 8] == [one.j for one in first]
    assert [1, 3, 5, 7, 9] == [one.j for one in second]


def test_a_new_coin_changes_pairs_and_never_splits_attempts() -> None:
    made = [*rows(n=400), row(0, attempt=2), row(1, attempt=2, arm=1)]
    first, second = relabelled(made, stream(5, "coins"))
    swapped = {one.j // 2 for one in first if one.j % 2}

    assert 70 < len(swapped) < 130  # 100 of 200, a standard deviation is 7
    assert swapped == {one.j // 2 for one in second if one.j % 2 == 0}
    assert len(first) == len(second) == 201
    assert sum(one.j == 0 for one in first) in {0, 2}
    assert (first, second) == relabelled(made, stream(5, "coins"))


def test_drift_raises_no_alarm_and_a_slower_target_does_in_both_directions() -> None:
    assert not alarmed(*arms(rows()))
    slow = arms(rows(slower=1.3))
    assert alarmed(*slow)
    assert alarmed(slow[1], slow[0])


def test_the_same_target_twice_raises_alarms_as_seldom_as_promised() -> None:
    """Of 10 fair comparisons at 5 % more than 4 alarm with a probability of 0.006 %."""
    found = false_alarms(rows(), WINDOW_NS, {}, 7, metrics=METRICS, n=10)

    assert 10 == found.n
    assert found.alarms <= 4
    assert not found.blocks
    assert found == false_alarms(rows(), WINDOW_NS, {}, 7, metrics=METRICS, n=10)


def test_a_gate_that_fails_is_an_alarm() -> None:
    """1 % of the requests are bad: on which side of them the rank of P99 falls is chance in each arm."""
    made = [
        row(j, at_s=j * 120 / 1400, arm=j % 2, outcome=Outcome.SERVER_ERROR, ttft_us=None) if j % 97 < 1 else one
        for j, one in enumerate(rows(n=1400))
    ]
    coins = stream(7, "relabelled")
    fails = alarms = 0
    for seed in range(4):
        one, other = (gated_run(arm, WINDOW_NS, {}) for arm in relabelled(made, coins))
        metrics = [Metric.TTFT_P99, Metric.BAD_RATIO]
        failed = Verdict.FAILED in {
            gate([a], [b], seed, paired=True, metrics=metrics, resamples=RESAMPLES_FEW).verdict
            for a, b in ((one, other), (other, one))
        }
        alarm = is_alarm(one, other, seed, metrics)
        assert alarm or not failed
        fails, alarms = fails + failed, alarms + alarm

    assert (0, 0) == (fails, alarms)  # 5 % each are promised, and the seed is given


@pytest.mark.parametrize(
    ("alarms", "n", "blocks"),
    [
        pytest.param(0, 0, False, id="never compared"),
        pytest.param(0, 100, False, id="none"),
        pytest.param(1, 10, False, id="one of ten may be chance"),
        pytest.param(7, 100, False, id="7 %"),
        pytest.param(9, 100, False, id="9 of 100 may be chance of 5 %: 6 %"),
        pytest.param(10, 100, True, id="10 of 100 are not: 3 %"),
        pytest.param(7, 1000, False, id="fewer than promised"),
        pytest.param(70, 1000, False, id="exactly 7 %"),
        pytest.param(71, 1000, True, id="more, of many"),
    ],
)
def test_what_blocks(alarms: int, n: int, blocks: bool) -> None:
    assert blocks is FalseAlarms(alarms=alarms, n=n).blocks


def test_the_rate_and_its_interval() -> None:
    none, some = FalseAlarms(alarms=0, n=0), FalseAlarms(alarms=2, n=40) + FalseAlarms(alarms=3, n=60)

    assert (None, None) == (none.ratio, none.interval)
    assert (5, 100, 0.05) == (some.alarms, some.n, some.ratio)
    assert some.interval == pytest.approx((0.0215, 0.1118), abs=1e-3)  # Wilson
    assert (100, 0.07, 0.05) == (RELABELLINGS, RATE_MAX, CHANCE)
    assert 2 / (RESAMPLES_FEW + 1) < ALPHA / len(Metric)
