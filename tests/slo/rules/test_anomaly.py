"""`anomaly` on a real store: a rhythm of every week, a moment, a level that moved, and what is not known."""

from collections.abc import Iterator

import pytest
from past_requests import DAY_S, NOW_S, Change, insert

from slo.jump import Verdict
from slo.rules.anomaly import AnomalyRule
from slo.rules.rule import Found, Settings
from telemetry.outcome import Eligibility, Outcome
from telemetry.queries.usual import STEP_S, WEEKS
from telemetry.samples import EngineSample
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

WEEK_S = 7 * DAY_S
RULE = AnomalyRule(settings=Settings(min_events=1))
"""One request a step, to be quick."""
BAD = {"outcome": Outcome.SERVER_ERROR, "eligible": Eligibility.BAD, "ttft_us": None}


def step(at_s: float, tokens_per_s: float, **change: object) -> Change:
    """Return the request of a step, which makes all its tokens."""
    tokens = round(tokens_per_s * STEP_S)
    return at_s + 150, {"tokens_out": tokens, "tok_by_s": (tokens,), **change}


def past(rate: float = 100.0, weeks: int = WEEKS, **change: object) -> Iterator[Change]:
    for week in range(1, weeks + 1):
        for at in range(-8, 4):
            yield step(NOW_S - week * WEEK_S + at * STEP_S, rate * (1 + (at + week) % 5 / 100), **change)


def now(*rates: float, **change: object) -> Iterator[Change]:
    """Yield the last steps, the last one last."""
    for back, rate in enumerate(reversed(rates), 1):
        yield step(NOW_S - back * STEP_S, rate, **change)


def rhythm() -> Iterator[Change]:
    """Yield a load that rises at the same time of every week."""
    for week in range(WEEKS + 1):
        for at in range(-15, 4 if week else 0):
            yield step(NOW_S - week * WEEK_S + at * STEP_S, 100.0 if at >= -3 else 10.0 + at % 3)


def queued(endpoint: str, value: int, since_s: int, steps: int) -> Iterator[EngineSample]:
    for at in range(steps):
        ts = (since_s + at * STEP_S) * 1_000
        yield EngineSample(ts=ts, endpoint=endpoint, replica="a", up=1, scrape_us=1, queued=value)


LEVEL = (100.0, 101.0, 99.0, 100.0, 102.0, 98.0, 100.0, 101.0, 99.0, 100.0, 102.0, 98.0)


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[Store]:
    writer, reader = process.store("writer"), process.store("reader")
    requests = {
        "odd-rhythm": rhythm(),
        "odd-moment": [*past(), *now(*LEVEL, 100, 101, 300)],
        "odd-level": [*past(), *now(*(2 * rate for rate in LEVEL), 200, 201, 199)],
        "odd-fallen": [*past(), *now(40, 41, 42)],
        "odd-young": [*now(*LEVEL, 300, 300, 300)],
        "odd-week": [*past(weeks=1), *now(300, 300, 300)],
        "odd-gap": [*past(), *now(*LEVEL, 300), step(NOW_S - STEP_S, 300)],
        "odd-gone": [*past()],
        "odd-slow": [*past(ttft_us=200_000), *now(100, 100, 100, ttft_us=500_000)],
        "odd-errors": [*past(), *past(), *now(100, 100, 100), *now(1, 1, 1, **BAD)],
        "odd-small": [*past(rate=1.0), *now(10, 10, 10)],
    }
    requests["odd-gap"] = [change for change in requests["odd-gap"] if change[0] != NOW_S - 2 * STEP_S + 150]
    insert(writer, requests)
    samples = [
        *(one for week in range(1, WEEKS + 1) for one in queued("odd-queue", 1, NOW_S - week * WEEK_S - 2_400, 12)),
        *queued("odd-queue", 20, NOW_S - 900, 3),
        *queued("odd-unscraped", 1, NOW_S - WEEK_S - 2_400, 12),
    ]
    writer.insert_samples(samples, "odd-queue")
    yield reader
    reader.close()
    writer.close()


def asked(store: Store, rule: AnomalyRule = RULE) -> dict[tuple[str, str], Found]:
    rows = {name: store.query(question) for name, question in rule.questions(NOW_S).items()}
    return {(one.labels["endpoint"], one.labels["series"]): one for one in rule.judge(NOW_S, rows)}


@pytest.fixture(scope="module")
def found(store: Store) -> dict[tuple[str, str], Found]:
    return asked(store)


@pytest.mark.parametrize(
    ("endpoint", "series", "sound", "naive", "known"),
    [
        ("odd-rhythm", "throughput", Verdict.SILENT, Verdict.TICKET, True),
        ("odd-moment", "throughput", Verdict.SILENT, Verdict.TICKET, True),
        ("odd-level", "throughput", Verdict.TICKET, Verdict.SILENT, True),
        ("odd-fallen", "throughput", Verdict.TICKET, Verdict.SILENT, True),
        ("odd-young", "throughput", Verdict.SILENT, Verdict.TICKET, False),
        ("odd-week", "throughput", Verdict.TICKET, Verdict.SILENT, True),
        ("odd-gap", "throughput", Verdict.SILENT, Verdict.TICKET, False),
        ("odd-slow", "ttft_p95", Verdict.TICKET, Verdict.SILENT, True),
        ("odd-slow", "throughput", Verdict.SILENT, Verdict.SILENT, True),
        ("odd-errors", "error_ratio", Verdict.TICKET, Verdict.SILENT, True),
        ("odd-small", "throughput", Verdict.SILENT, Verdict.SILENT, True),
        ("odd-queue", "queue", Verdict.TICKET, Verdict.SILENT, True),
        ("odd-unscraped", "queue", Verdict.SILENT, Verdict.SILENT, False),
    ],
)
def test_each_series(
    found: dict[tuple[str, str], Found], endpoint: str, series: str, sound: Verdict, naive: Verdict, known: bool
) -> None:
    one = found[endpoint, series]

    assert (sound, naive, known) == (one.sound, one.naive, one.is_known)


def test_an_endpoint_that_nobody_asks_any_more_is_not_named(found: dict[tuple[str, str], Found]) -> None:
    assert not [series for endpoint, series in found if endpoint == "odd-gone"]


def test_it_is_never_a_page(found: dict[tuple[str, str], Found]) -> None:
    assert Verdict.PAGE not in {one.sound for one in found.values()} | {one.naive for one in found.values()}


def test_few_requests_make_no_share(store: Store) -> None:
    one = asked(store, AnomalyRule(settings=Settings()))["odd-errors", "error_ratio"]

    assert (Verdict.SILENT, False) == (one.sound, one.is_known)


def test_the_words_have_the_figures(found: dict[tuple[str, str], Found]) -> None:
    assert found["odd-fallen", "throughput"].words["summary"] == (
        "odd-fallen: throughput is 42 tokens/s, at this hour of the week usually 102 with a deviation of 1.5"
    )
    assert found["odd-young", "throughput"].words["summary"] == (
        "odd-young: throughput is 300 tokens/s; nothing is usual before a week was seen"
    )
