"""How many requests a gate needs: by assumption, and by what a baseline showed."""

import math
from statistics import NormalDist

import pytest

from loadtest import compare
from loadtest.gate import Metric, Request, Run
from loadtest.gate_plan import BAD_RATIO, RUNS, SPARE, Need, Question, assumed, measured
from loadtest.lengths import lognormal
from loadtest.quantiles import requests_needed
from loadtest.random_streams import stream
from telemetry.percentile import P50, P95, P99

SECONDS = 300.0
ALL = Question(metrics=tuple(Metric), change=0.1, power=0.8)


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "RESAMPLES", 400)


def run(seed: int, n: int = 900, *, queue: float = 0.0, bad: float = 0.0) -> Run:
    """A run whose blocks of ten seconds share a queue of this sigma."""
    uniform, requests = stream(seed, "run"), list[Request]()
    shared = [lognormal(queue, uniform()) for _ in range(int(SECONDS / 10))]
    for k in range(n):
        at_s = k * SECONDS / n
        is_bad = uniform() < bad
        ttft_s = 0.3 * lognormal(0.5, uniform()) * shared[int(at_s / 10)]
        requests.append(
            Request(
                at_s=at_s, ttft_s=None if is_bad else ttft_s, tpot_s=0.02 * lognormal(0.1, uniform()),
                max_gap_s=None, is_bad=is_bad, meets=not is_bad,
            )
        )  # fmt: skip
    return Run(
        since_s=0, until_s=SECONDS, requests=requests, tokens=[(k, 90 + int(20 * uniform())) for k in range(300)]
    )


def runs(**how: float) -> list[Run]:
    return [run(seed, **how) for seed in range(RUNS)]  # type: ignore[arg-type] # passed on as it came


def needs(found: list[Need]) -> dict[Metric, Need]:
    return {one.metric: one for one in found}


@pytest.mark.parametrize(
    ("metric", "p_ppm"), [(Metric.TTFT_P50, P50), (Metric.TTFT_P95, P95), (Metric.MAX_GAP_P99, P99)]
)
def test_without_a_baseline_latencies_are_lognormal(metric: Metric, p_ppm: int) -> None:
    found = needs(assumed(ALL, 0.5))[metric]

    assert found.to_pass == requests_needed(p_ppm, 0.5, 0.05, power=0.8, metrics=1, runs=RUNS)
    assert found.to_catch == requests_needed(p_ppm, 0.5, 0.10, power=0.8, metrics=9, runs=RUNS)
    assert found.requests == found.to_pass


def test_without_a_baseline_shares_are_those_of_one_percent_and_tokens_unknown() -> None:
    found = needs(assumed(ALL, 0.5))
    z = 1.96 + NormalDist().inv_cdf(0.8)

    assert pytest.approx(2 * BAD_RATIO * 0.99 * (z / 0.005) ** 2, rel=0.01) == found[Metric.BAD_RATIO].to_pass
    assert (None, None, None) == (
        found[Metric.TOKENS_PER_S].to_pass,
        found[Metric.TOKENS_PER_S].to_catch,
        found[Metric.TOKENS_PER_S].requests,
    )
    assert 0.06 == pytest.approx(found[Metric.TOKENS_PER_S].change)


def test_a_change_near_the_margin_is_rarely_estimated_above_it() -> None:
    near, far = (
        assumed(Question(metrics=[Metric.TTFT_P50], change=change, power=0.8), 0.5)[0] for change in (0.06, 0.1)
    )

    assert (near.to_catch or 0) > 5 * (far.to_catch or 0)


def test_the_floor_of_a_quantile_holds_whatever_its_spread() -> None:
    (one,) = assumed(Question(metrics=[Metric.TTFT_P99], change=0.1, power=0.8), 0.01)

    assert (662, 662) == (one.floor, one.requests)


def test_a_baseline_of_independent_requests_says_what_was_assumed() -> None:
    """The width of a bootstrap is uncertain, of the root of n by a third."""
    found, theory = needs(measured(ALL, runs(), 1)), needs(assumed(ALL, 0.5))

    for metric in (Metric.TTFT_P50, Metric.TTFT_P95):
        ratio = math.sqrt((found[metric].to_pass or 0) / (theory[metric].to_pass or 1))
        assert 0.6 < ratio / math.sqrt(SPARE) < 1.5
    assert (found[Metric.TPOT_P50].to_pass or 0) < (found[Metric.TTFT_P50].to_pass or 0) / 4
    assert 0 < (found[Metric.TOKENS_PER_S].to_pass or 0) < 900
    assert found[Metric.MAX_GAP_P99].requests is None  # nobody has a gap


def test_requests_that_share_a_queue_say_less() -> None:
    alone, together = (needs(measured(ALL, runs(queue=queue), 1))[Metric.TTFT_P50] for queue in (0.0, 0.5))

    assert (together.to_catch or 0) > 4 * (alone.to_catch or 0)


def test_what_fails_in_some_resamples_has_no_spread() -> None:
    found = needs(measured(ALL, runs(bad=0.01), 1))

    assert found[Metric.TTFT_P99].requests is None
    assert found[Metric.BAD_RATIO].requests is not None


def test_a_throughput_that_may_be_0_has_no_spread() -> None:
    rare = [Run(since_s=0, until_s=300, requests=one.requests[:20], tokens=[(3.0, 5)]) for one in runs()]

    assert needs(measured(ALL, rare, 1))[Metric.TOKENS_PER_S].requests is None
