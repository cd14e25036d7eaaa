"""`wasting_compute` on a real store: longer inputs at flat cost, slower answers at flat cost, and what is not known."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from past_requests import DAY_S, HOUR_S, NOW_S, Change, found_by_endpoint, insert

from slo.jump import Verdict
from slo.rules.rule import Found, Settings
from slo.rules.waste import WastingComputeRule
from telemetry.outcome import Eligibility, Outcome
from telemetry.samples import EngineSample
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

RANDOM = Random(9)  # noqa: S311 -- seeded
OPTIONS = {"gpu_usd_per_hour": 2.0, "gpus_per_replica": 4.0}
RULE = WastingComputeRule(settings=Settings(window_s=HOUR_S, options=OPTIONS))
FAILED: dict[str, Any] = {"ttft_us": None, "outcome": Outcome.OVERLOADED, "eligible": Eligibility.BAD}
SHORT, LONG = (1_000, 0.4), (16_000, 2.4)
"""Input tokens, and the median wait of such requests, seconds; with sigma 0.3 all are in time, 1.2 s and 4.2 s."""


def of(back_s: float, n: int, *kinds: tuple[int, float], slower: float = 1.0, **change: object) -> Iterator[Change]:
    for at in range(n):
        tokens_in, median_s = kinds[at % len(kinds)]
        us = round(median_s * slower * 1e6 * RANDOM.lognormvariate(0, 0.3))
        yield NOW_S - back_s - at / 2, {"ttft_us": us, "tokens_in": tokens_in, "tokens_out": 100, **change}


def before(*kinds: tuple[int, float], n: int = 900) -> Iterator[Change]:
    yield from of(DAY_S + 60, n, *kinds)


def scraped(endpoint: str, days_ago: int) -> Iterator[EngineSample]:
    for minute in range(1, 61):
        ts = (NOW_S - days_ago * DAY_S - minute * 60) * 1_000
        yield EngineSample(ts=ts, endpoint=endpoint, replica="a", up=1, scrape_us=1)


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[Store]:
    writer, reader = process.store("writer"), process.store("reader")
    past = {
        "waste-inputs": [*before(*[SHORT] * 150, LONG), *of(60, 900, LONG, slower=0.9)],
        "waste-slower": [*before(SHORT), *of(60, 900, SHORT, slower=3)],
        "waste-dearer": [*before(SHORT), *of(60, 900, SHORT, slower=3, tokens_out=60)],
        "waste-in-time": [*before(SHORT), *of(60, 900, SHORT, slower=1.6)],
        "waste-all": [*before(SHORT), *of(60, 900, SHORT, slower=20)],
        "waste-always": [*of(DAY_S + 60, 900, SHORT, slower=20), *of(60, 900, SHORT, slower=40)],
        "waste-failed": [*before(SHORT), *of(60, 880, SHORT), *of(60, 30, SHORT, **FAILED)],
        "waste-failing": [*(*before(SHORT), *of(DAY_S + 60, 60, SHORT, **FAILED)), *of(60, 900, SHORT, **FAILED)],
        "waste-few": [*before(SHORT), *of(60, 90, SHORT, slower=3, tokens_out=1_000)],
        "waste-unseen": [*before(SHORT), *of(60, 900, SHORT, slower=3)],
        "waste-gone": [*before(SHORT)],
    }
    insert(writer, past)
    names = (name for name in past if name != "waste-unseen")
    writer.insert_samples([one for name in names for day in (0, 1) for one in scraped(name, day)], "waste-scrapes")
    yield reader
    reader.close()
    writer.close()


@pytest.fixture(scope="module")
def found(store: Store) -> dict[str, Found]:
    return found_by_endpoint(store, RULE)


@pytest.mark.parametrize(
    ("endpoint", "sound", "naive", "known"),
    [
        ("waste-inputs", Verdict.SILENT, Verdict.TICKET, False),
        ("waste-slower", Verdict.TICKET, Verdict.TICKET, True),
        ("waste-dearer", Verdict.SILENT, Verdict.SILENT, True),
        ("waste-in-time", Verdict.SILENT, Verdict.TICKET, True),
        ("waste-all", Verdict.TICKET, Verdict.TICKET, True),
        ("waste-always", Verdict.SILENT, Verdict.TICKET, False),
        ("waste-failing", Verdict.SILENT, Verdict.SILENT, False),
        ("waste-few", Verdict.SILENT, Verdict.TICKET, False),
        ("waste-unseen", Verdict.SILENT, Verdict.SILENT, False),
    ],
)
def test_each_endpoint(found: dict[str, Found], endpoint: str, sound: Verdict, naive: Verdict, known: bool) -> None:
    one = found[endpoint]

    assert (sound, naive, known) == (one.sound, one.naive, one.is_known)


def test_an_endpoint_that_nobody_asks_any_more_is_not_named(found: dict[str, Found]) -> None:
    assert "waste-gone" not in found


def test_the_words_have_the_figures(found: dict[str, Found]) -> None:
    # One replica of 4 GPUs at 2 USD for an hour makes 90,000 tokens: 88.9 USD a million.
    assert "a million output tokens cost 88.9 USD, 1 times as much as before" in found["waste-slower"].words["summary"]
    assert found["waste-all"].words["summary"].endswith(" times as much as before, none are in time")
    assert found["waste-always"].words["summary"].endswith("none were in time before")
    assert "P99 of first outputs falls on failures" in found["waste-failed"].words["summary"]
    assert "P99 of first outputs unknown" in found["waste-inputs"].words["summary"]
    assert ", those in time 1.0" in found["waste-in-time"].words["summary"]
    assert "unknown" == found["waste-failing"].words["naive"], "infinite over infinite"
    assert found["waste-unseen"].words["summary"] == "waste-unseen: what a token costs is unknown"


def test_without_a_price_nothing_is_known(store: Store) -> None:
    found = found_by_endpoint(store, WastingComputeRule(settings=Settings(window_s=HOUR_S)))["waste-slower"]

    assert (Verdict.SILENT, Verdict.TICKET, False) == (found.sound, found.naive, found.is_known)
