"""Outages without a burn rate: nearly all bad, a run of bad ones, probes that find nobody."""

import pytest

from slo.buckets import Bucket
from slo.counts import Counts
from slo.outage import (
    LONG_S,
    SHORT_S,
    OutageRule,
    Run,
    default_rules,
    is_endpoint_down,
    is_outage,
    is_outage_run,
    run_of,
    run_of_buckets,
)


def counts(eligible: int, bad: int) -> Counts:
    return Counts(eligible=eligible, bad=bad)


def test_loose_targets_get_the_outage_rule() -> None:
    always = (OutageRule.OUTAGE_RUN, OutageRule.ENDPOINT_DOWN)

    assert always == default_rules(0.99)
    assert (OutageRule.OUTAGE, *always) == default_rules(0.989)


def test_a1_a_total_outage_of_20_per_s_is_one_after_4_and_a_half_minutes() -> None:
    assert (300, 60) == (LONG_S, SHORT_S)

    assert not is_outage(counts(6_000, 269 * 20), counts(1_200, 1_200))
    assert is_outage(counts(6_000, 270 * 20), counts(1_200, 1_200))


OUTAGES = [
    pytest.param(counts(20, 18), counts(1, 1), True, id="18 of 20 are 90 %"),
    pytest.param(counts(20, 17), counts(1, 1), False, id="17 of 20"),
    pytest.param(counts(19, 19), counts(1, 1), False, id="19 requests are too few"),
    pytest.param(counts(20, 20), counts(10, 8), False, id="the last minute is better"),
    pytest.param(counts(20, 20), counts(0, 0), False, id="nothing in the last minute"),
]


@pytest.mark.parametrize(("long", "short", "outage"), OUTAGES)
def test_nearly_all_bad_in_both_windows(long: Counts, short: Counts, outage: bool) -> None:
    assert outage is is_outage(long, short)


RUNS = [
    pytest.param([(0, False), (15, False), (30, False), (45, False), (60, False)], True, id="A19: five over 60 s"),
    pytest.param([(0, False), (15, False), (30, False), (45, False), (59, False)], False, id="five over 59 s"),
    pytest.param([(0, False), (20, False), (40, False), (60, False)], False, id="four"),
    pytest.param([(0, False), (15, True), (30, False), (45, False), (60, False), (90, False)], False, id="one good"),
    pytest.param([(at, False) for at in range(61)], True, id="many over 60 s"),
    pytest.param([(0, False), (99, True)], False, id="the last was good"),
    pytest.param([], False, id="none"),
]


@pytest.mark.parametrize(("events", "outage"), RUNS)
def test_a_run_of_bad_requests(events: list[tuple[float, bool]], outage: bool) -> None:
    assert outage is is_outage_run(run_of(events))


PROBES = [
    pytest.param([0, 30, 60], True, id="three, 30 s apart"),
    pytest.param([0, 29.9, 59.7], True, id="three, a little early"),
    pytest.param([0, 30], False, id="two"),
    pytest.param([0, 0.1, 0.2, 30, 30.1, 30.2], False, id="three collectors, twice"),
]


@pytest.mark.parametrize(("failures", "down"), PROBES)
def test_probes_that_find_nobody(failures: list[float], down: bool) -> None:
    assert down is is_endpoint_down(run_of([(-30.0, True), *((at, False) for at in failures)]))


def test_no_probe_says_nothing() -> None:
    assert not is_endpoint_down(None)


def row(*eligible_bad: tuple[int, int]) -> list[Bucket]:
    return [Bucket(start_s=30 * at, counts=counts(n, b)) for at, (n, b) in enumerate(eligible_bad)]


BUCKETS = [
    pytest.param(row((5, 4), (2, 2), (1, 1), (1, 1), (1, 1)), Run(bad=5, since_s=60, until_s=120), id="four all bad"),
    pytest.param(row((2, 2), (0, 0), (3, 3)), Run(bad=5, since_s=30, until_s=60), id="an empty one in between"),
    pytest.param(row((2, 2)), Run(bad=2, since_s=0, until_s=0), id="one bucket has no length"),
    pytest.param(row((2, 2), (2, 1)), None, id="a good one at the end"),
    pytest.param([], None, id="nothing"),
]


@pytest.mark.parametrize(("buckets", "run"), BUCKETS)
def test_the_run_of_buckets_is_never_too_long(buckets: list[Bucket], run: Run | None) -> None:
    assert run == run_of_buckets(buckets)
