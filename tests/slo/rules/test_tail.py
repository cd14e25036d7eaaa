"""`tail_spread` on a real store: answers of all lengths, and a tail that moves away from its median."""

from collections.abc import Iterator
from random import Random

import pytest
from past_requests import DAY_S, NOW_S, Change, found_by_endpoint, insert

from slo.jump import Verdict
from slo.rules.rule import Found, Settings
from slo.rules.tail import TailSpreadRule
from telemetry.testing.store_process import StoreProcess

RANDOM = Random(4)  # noqa: S311 -- seeded


def of(
    back_s: float,
    n: int,
    ttft_tail: float = 1.0,
    tpot_tail: float = 1.0,
    lengths: tuple[int, int] = (1, 2_000),
    span_s: float = 20_000,
    every: int = 20,
    **change: object,
) -> Iterator[Change]:
    """Yield requests of which every twentieth is so many times slower; answers are of all lengths."""
    for at in range(n):
        slow = at % every == 0
        ttft_us = round(200_000 * RANDOM.lognormvariate(0, 0.3) * (ttft_tail if slow else 1))
        tpot_us = round(20_000 * RANDOM.lognormvariate(0, 0.1) * (tpot_tail if slow else 1))
        e2e_us = ttft_us + round(lengths[0] * (lengths[1] / lengths[0]) ** RANDOM.random()) * tpot_us
        usual = {"ttft_us": ttft_us, "tpot_us": tpot_us, "e2e_us": e2e_us}
        yield NOW_S - back_s - at * span_s / n, {**usual, **change}


@pytest.fixture(scope="module")
def found(process: StoreProcess) -> Iterator[dict[str, Found]]:
    writer, reader = process.store("writer"), process.store("reader")
    past = {
        "tail-same": [*of(DAY_S + 60, 1_100), *of(60, 600)],
        "tail-ttft": [*of(DAY_S + 60, 1_100), *of(60, 600, ttft_tail=6)],
        "tail-hidden": [*of(DAY_S + 60, 1_100), *of(60, 600, ttft_tail=6, lengths=(1_000, 1_001))],
        "tail-tpot": [*of(DAY_S + 60, 1_100, ttft_us=None), *of(60, 600, tpot_tail=4, ttft_us=None)],
        "tail-incident": [
            *of(DAY_S + 60, 1_100),
            *(*of(60, 150, ttft_tail=8, span_s=5_000, every=4), *of(5_060, 450, span_s=15_000)),
        ],
        "tail-always": [*of(DAY_S + 60, 1_100, ttft_tail=4), *of(60, 600, ttft_tail=4)],
        "tail-half": [*of(DAY_S + 60, 1_100, tpot_us=None), *of(60, 600)],
        "tail-few": [*of(DAY_S + 60, 1_100), *of(60, 90, ttft_tail=4)],
        "tail-new": [*of(60, 600, ttft_tail=4)],
        "tail-gone": [*of(DAY_S + 60, 1_100)],
    }
    insert(writer, past)
    yield found_by_endpoint(reader, TailSpreadRule(settings=Settings()))
    reader.close()
    writer.close()


@pytest.mark.parametrize(
    ("endpoint", "sound", "naive", "known"),
    [
        ("tail-same", Verdict.SILENT, Verdict.TICKET, True),
        ("tail-ttft", Verdict.TICKET, Verdict.TICKET, True),
        ("tail-hidden", Verdict.TICKET, Verdict.SILENT, True),
        ("tail-tpot", Verdict.TICKET, Verdict.TICKET, True),
        ("tail-incident", Verdict.SILENT, Verdict.TICKET, True),
        ("tail-always", Verdict.SILENT, Verdict.TICKET, True),
        ("tail-half", Verdict.SILENT, Verdict.TICKET, False),
        ("tail-few", Verdict.SILENT, Verdict.TICKET, False),
        ("tail-new", Verdict.SILENT, Verdict.TICKET, False),
    ],
)
def test_each_tail(found: dict[str, Found], endpoint: str, sound: Verdict, naive: Verdict, known: bool) -> None:
    one = found[endpoint]

    assert (sound, naive, known) == (one.sound, one.naive, one.is_known)


def test_the_words_say_whose_tail_it_is(found: dict[str, Found]) -> None:
    assert found["tail-ttft"].words["summary"].startswith("tail-ttft m: the tail of the time to first output is 3.")
    assert found["tail-tpot"].words["summary"].startswith("tail-tpot m: the tail of the time per token is 3.")
    assert found["tail-new"].words["summary"] == "tail-new m: too few requests"


def test_an_endpoint_that_nobody_asks_any_more_is_not_named(found: dict[str, Found]) -> None:
    assert "tail-gone" not in found
