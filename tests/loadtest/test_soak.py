"""What grows for hours, and what it takes to see it: one line of figures for each stretch, and no row kept."""

import tracemalloc
from collections.abc import Callable

import pytest
from load_rows import row

from loadtest.lengths import lognormal
from loadtest.random_streams import stream
from loadtest.run_spec import Phase
from loadtest.slope import POINTS_MAX
from loadtest.soak import GROWTH_MAX, OUTAGE_LEAST, QUARTERS, STRETCHES_MAX, Stretches, growth, thinned
from loadtest.verdict import Verdict
from telemetry.outcome import Flag, Outcome

HOUR_NS = 3_600_000_000_000


def points(rises: float, n: int = 60, sigma: float = 0.02) -> list[tuple[float, float]]:
    """One a minute; over the hour they rise by so much of the first."""
    uniform = stream(4, "soak")
    return [(60.0 * k, (1 + rises * k / (n - 1)) * lognormal(sigma, uniform())) for k in range(n)]


@pytest.mark.parametrize(
    ("rises", "sigma", "verdict"),
    [
        pytest.param(0.0, 0.02, Verdict.PASSED, id="nothing grows"),
        pytest.param(0.05, 0.02, Verdict.PASSED, id="a little, within what may be"),
        pytest.param(0.3, 0.02, Verdict.FAILED, id="by a third"),
        pytest.param(-0.3, 0.02, Verdict.PASSED, id="it falls"),
        pytest.param(0.12, 0.3, Verdict.INCONCLUSIVE, id="too wild to tell"),
    ],
)
def test_growth(rises: float, sigma: float, verdict: Verdict) -> None:
    found = growth("tpot", "s", points(rises, sigma=sigma))

    assert verdict is found.verdict
    assert found.low is not None
    assert found.growth is not None
    assert found.high is not None
    assert found.low < found.growth < found.high
    if sigma < 0.1:
        assert pytest.approx(rises, abs=0.03) == found.growth
        assert pytest.approx(rises, abs=0.04) == found.per_hour


def test_a_share_grows_in_points_and_may_begin_at_0() -> None:
    found = growth("kv", "ratio", [(60.0 * k, 0.005 * k) for k in range(60)])

    assert Verdict.FAILED is found.verdict
    assert 0.295 == pytest.approx(found.growth)
    assert Verdict.PASSED is growth("kv", "ratio", [(60.0 * k, 0.001 * k) for k in range(60)]).verdict


@pytest.mark.parametrize("short", [[], [(0.0, 1.0)] * 1, [(float(k), 0.0) for k in range(20)]])
def test_what_shows_no_growth_says_nothing(short: list[tuple[float, float]]) -> None:
    found = growth("rss", "bytes", short)

    assert (Verdict.INCONCLUSIVE, None, None) == (found.verdict, found.growth, found.level)
    assert (0.1, True) == (GROWTH_MAX, STRETCHES_MAX <= POINTS_MAX)


def test_stretches_sum_what_counts() -> None:
    stretches = Stretches((0, HOUR_NS))
    for one in (
        row(1, at_s=10, tpot_us=20_000),
        row(2, at_s=20, tpot_us=40_000),
        row(3, at_s=40, tpot_us=50_000),
        row(4, at_s=50, tpot_us=None, ttft_us=None),
        row(5, at_s=60, outcome=Outcome.SERVER_ERROR),
        row(6, at_s=70, phase=Phase.WARM_UP),
        row(7, at_s=80, flags=int(Flag.ABORTED_BY_PLAN)),
        row(8, at_s=9999),
    ):
        stretches.add(one)

    assert [(15.0, 0.03), (45.0, 0.05)] == [pytest.approx(point) for point in stretches.means("tpot")]
    assert [(15.0, 0.4), (45.0, 0.4)] == [pytest.approx(point) for point in stretches.means("ttft")]
    assert (6, 1, {"ok": 5, "server_error": 1}) == (stretches.offered, stretches.bad, stretches.outcomes)


def soaked(fails: Callable[[int], bool], n: int = 7200) -> Stretches:
    """An hour of requests, some of which fail."""
    stretches = Stretches((0, HOUR_NS))
    for j in range(n):
        outcome = Outcome.TIMEOUT_FIRST_TOKEN if fails(j) else Outcome.OK
        stretches.add(row(j, at_s=j * 3600 / n, outcome=outcome))
    return stretches


def of_hundred(share: int, since: int = 0, until: int = 7200) -> Callable[[int], bool]:
    """So many of a hundred fail, here and there between two requests."""
    return lambda j: since <= j < until and j * 37 % 100 < share


@pytest.mark.parametrize(
    ("fails", "verdict", "rises"),
    [
        pytest.param(of_hundred(60, 3600), Verdict.FAILED, 0.6, id="from the middle on"),
        pytest.param(of_hundred(60, 5400), Verdict.FAILED, 0.6, id="in the last quarter"),
        pytest.param(of_hundred(100, 6480), Verdict.FAILED, 0.4, id="all in the last tenth"),
        pytest.param(of_hundred(1), Verdict.PASSED, 0.0, id="one of a hundred"),
        pytest.param(of_hundred(0), Verdict.PASSED, 0.0, id="never"),
        pytest.param(of_hundred(60), Verdict.INCONCLUSIVE, 0.0, id="all along"),
        pytest.param(of_hundred(100, 2400, 4200), Verdict.INCONCLUSIVE, 0.0, id="in the middle alone"),
        pytest.param(of_hundred(100, 3000, 3120), Verdict.INCONCLUSIVE, 0.0, id="for a minute"),
    ],
)
def test_failures_grow(fails: Callable[[int], bool], verdict: Verdict, rises: float) -> None:
    found = soaked(fails).failing()

    assert verdict is found.verdict
    assert rises == pytest.approx(found.growth)
    assert ("bad", "ratio", STRETCHES_MAX) == (found.name, found.unit, found.n)
    assert bool(found.note) >= (verdict is Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("since", "up", "verdict", "note"),
    [
        pytest.param(90, 0.3, Verdict.FAILED, "in the last quarter", id="the last quarter"),
        pytest.param(108, 0.3, Verdict.FAILED, "in the last eighth", id="the last eighth"),
        pytest.param(100, 0.05, Verdict.PASSED, "", id="within what may be"),
        pytest.param(117, 0.3, Verdict.PASSED, "", id="too short to tell from chance"),
        pytest.param(120, 0.0, Verdict.PASSED, "", id="no step"),
    ],
)
@pytest.mark.parametrize("unit", ["s", "ratio"])
def test_a_step_that_comes_late_is_seen(since: int, up: float, verdict: Verdict, note: str, unit: str) -> None:
    steady = points(0.0, n=120)
    found = growth("tpot", unit, [(at_s, y + (up if k >= since else 0.0)) for k, (at_s, y) in enumerate(steady)])

    assert verdict is found.verdict
    assert (note in found.note) if note else not found.note


def test_a_steady_soak_shows_no_late_step() -> None:
    """Noise of 20 % from stretch to stretch, 200 seeds, at what may be 10 %: none."""
    for seed in range(200):
        uniform = stream(seed, "late")
        steady = [(float(k), lognormal(0.2, uniform())) for k in range(120)]
        assert not growth("tpot", "s", steady).note


def test_failures_an_hour() -> None:
    """Quarters of an hour lie three of them apart."""
    found = soaked(of_hundred(60, 3600)).failing()

    assert 0.8 == pytest.approx(found.per_hour)
    assert "60.0% of a quarter of the run failed" == found.note
    assert (4, 0) == (QUARTERS, STRETCHES_MAX % QUARTERS)


@pytest.mark.parametrize(
    ("n", "silent", "note"),
    [
        pytest.param(OUTAGE_LEAST, True, "1 stretches without an answer", id="no answer"),
        pytest.param(OUTAGE_LEAST - 1, True, "", id="chance"),
        pytest.param(OUTAGE_LEAST, False, "", id="one answer"),
    ],
)
def test_a_stretch_without_an_answer(n: int, silent: bool, note: str) -> None:
    stretches = soaked(lambda j: j // n == 50 and (silent or j % n > 0), n * STRETCHES_MAX)

    assert note == stretches.failing().note


@pytest.mark.parametrize("seen_s", [[], [10.0], [3500.0]])
def test_without_a_first_and_a_last_quarter_nobody_can_tell(seen_s: list[float]) -> None:
    stretches = Stretches((0, HOUR_NS))
    for at_s in seen_s:
        stretches.add(row(1, at_s=at_s))
    found = stretches.failing()

    assert (Verdict.INCONCLUSIVE, None, len(seen_s)) == (found.verdict, found.growth, found.n)


def test_few_requests_prove_no_steady_share() -> None:
    assert Verdict.INCONCLUSIVE is soaked(of_hundred(0), n=40).failing().verdict


def test_a_soak_keeps_no_row() -> None:
    stretches = Stretches((0, HOUR_NS))
    one = row(1, at_s=10)
    stretches.add(one)
    tracemalloc.start()
    try:
        for _ in range(20_000):
            stretches.add(one)
        now, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert now < 50_000


@pytest.mark.parametrize(("n", "left"), [(0, 0), (5, 5), (STRETCHES_MAX, STRETCHES_MAX), (STRETCHES_MAX + 1, 61)])
def test_samples_are_thinned(n: int, left: int) -> None:
    found = thinned([(float(k), 2.0 * k) for k in range(n)])

    assert left == len(found)
    assert all(y == pytest.approx(2 * x) for x, y in found)
