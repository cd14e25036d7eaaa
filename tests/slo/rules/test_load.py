"""`ttft_p99_load_triple` on a real store: longer prompts at the peak, few requests, and a tail that load makes."""

from collections.abc import Iterator
from random import Random

import pytest
from past_requests import NOW_S, Change, found_by_endpoint, insert

from slo.jump import Verdict
from slo.rules.load import TtftP99LoadTripleRule
from slo.rules.rule import Found, Settings
from telemetry.outcome import Eligibility, Outcome
from telemetry.testing.store_process import StoreProcess

RANDOM = Random(3)  # noqa: S311 -- seeded
FAILED = {"ttft_us": None, "outcome": Outcome.OVERLOADED, "eligible": Eligibility.BAD}


def minute(back_min: int, n: int, *kinds: tuple[int, float], **change: object) -> Iterator[Change]:
    """Yield the requests of a minute; kinds are lengths of inputs and medians of their waits, seconds, in turn."""
    for at in range(n):
        tokens_in, median_s = kinds[at % len(kinds)]
        us = round(median_s * 1e6 * RANDOM.lognormvariate(0, 0.3))
        yield NOW_S - back_min * 60 + at * 60 / n, {"ttft_us": us, "tokens_in": tokens_in, **change}


def quiet(*kinds: tuple[int, float], n: int = 120, **change: object) -> Iterator[Change]:
    for back in range(10):
        yield from minute(300 + back, n, *kinds, **change)


def busy(*kinds: tuple[int, float], n: int = 240, back_min: int = 1) -> Iterator[Change]:
    for back in range(3):
        yield from minute(back_min + back, n, *kinds)


@pytest.fixture(scope="module")
def found(process: StoreProcess) -> Iterator[dict[str, Found]]:
    writer, reader = process.store("writer"), process.store("reader")
    short, long = (400, 0.2), (8_000, 1.6)
    past = {
        "load-prompts": [*quiet(*[short] * 119, long), *busy(long)],
        "load-triples": [*quiet(short), *busy((400, 0.9))],
        "load-hidden": [*quiet(short, short, short, long, n=160), *busy((400, 1.2))],
        "load-chance": [*quiet(short), *busy(short, n=178), *busy((400, 3.0), n=2)],
        "load-level": [*quiet(short), *busy((400, 0.9), n=150)],
        "load-failing": [*quiet(short, n=118), *quiet(short, n=2, **FAILED), *busy(short)],
        "load-few": [*quiet(short, n=20), *busy((400, 0.9), n=60)],
        "load-flat": [*quiet(short), *busy((400, 0.9), n=120)],
        "load-over": [*quiet(short), *busy((400, 0.9), back_min=120)],
        "load-refused": [*quiet(short), *busy(short), *minute(2, 60, short, **FAILED)],
    }
    insert(writer, past)
    yield found_by_endpoint(reader, TtftP99LoadTripleRule(settings=Settings()))
    reader.close()
    writer.close()


@pytest.mark.parametrize(
    ("endpoint", "sound", "naive", "known"),
    [
        ("load-triples", Verdict.PAGE, Verdict.PAGE, True),
        ("load-hidden", Verdict.PAGE, Verdict.SILENT, True),
        ("load-chance", Verdict.SILENT, Verdict.PAGE, True),
        ("load-level", Verdict.SILENT, Verdict.PAGE, True),
        ("load-failing", Verdict.SILENT, Verdict.SILENT, False),
        ("load-few", Verdict.SILENT, Verdict.PAGE, False),
        ("load-flat", Verdict.SILENT, Verdict.SILENT, True),
        ("load-over", Verdict.SILENT, Verdict.SILENT, True),
        ("load-refused", Verdict.PAGE, Verdict.PAGE, True),
    ],
)
def test_each_load(found: dict[str, Found], endpoint: str, sound: Verdict, naive: Verdict, known: bool) -> None:
    one = found[endpoint]

    assert (sound, naive, known) == (one.sound, one.naive, one.is_known)


def test_longer_prompts_at_the_peak_are_not_load(found: dict[str, Found]) -> None:
    one = found["load-prompts"]

    assert (Verdict.SILENT, Verdict.PAGE, False) == (one.sound, one.naive, one.is_known)
    assert "no stratum of its 720 requests can be compared" in one.words["summary"]


def test_the_words_have_the_figures(found: dict[str, Found]) -> None:
    assert found["load-over"].words["summary"] == (
        "load-over m: load is not high; high is 240 requests a minute, low 120"
    )
    assert (
        found["load-triples"]
        .words["summary"]
        .startswith("load-triples m: at 240 requests a minute and more the P99 of first outputs is 4.")
    )
    assert found["load-few"].words["summary"] == (
        "load-few m: no stratum of its 180 requests can be compared with low load"
    )
    assert found["load-refused"].words["summary"] == (
        "load-refused m: at 240 requests a minute and more the P99 of first outputs falls on failures"
    )
    assert "unknown" == found["load-failing"].words["naive"], "over what fails nothing can be said"
