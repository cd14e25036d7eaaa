"""`length_mix_shift` on a real store: a batch of every night, too few requests, and a shift."""

from collections.abc import Iterator

import pytest
from past_requests import DAY_S, HOUR_S, NOW_S, Change, found_by_endpoint, insert

from slo.jump import Verdict
from slo.rules.length_mix import LengthMixShiftRule
from slo.rules.rule import Found, Settings
from telemetry.testing.store_process import StoreProcess


def of(back_s: float, n: int, tokens_in: int | None, tokens_out: int | None = 100) -> Iterator[Change]:
    for at in range(n):
        yield NOW_S - back_s - at, {"tokens_in": tokens_in, "tokens_out": tokens_out}


def days(n: int, tokens_in: int, back_s: float = 60, last: int = 7) -> Iterator[Change]:
    """Yield n requests a day, now excluded."""
    for day in range(1, last + 1):
        yield from of(day * DAY_S + back_s, n, tokens_in)


@pytest.fixture(scope="module")
def found(process: StoreProcess) -> Iterator[dict[str, Found]]:
    writer, reader = process.store("writer"), process.store("reader")
    past = {
        "mix-nightly": [*days(40, 9_000), *days(400, 300, back_s=9 * HOUR_S), *of(60, 200, 9_000)],
        "mix-moved": [*days(40, 300), *of(60, 120, 300), *of(300, 120, 9_000)],
        "mix-outputs": [*days(40, 300), *of(60, 240, 300, 2_000)],
        "mix-same": [*days(40, 300), *of(60, 240, 300)],
        "mix-chance": [*days(20, 300), *days(20, 9_000), *of(60, 75, 300), *of(60, 25, 9_000)],
        "mix-few": [*days(40, 300), *of(60, 20, 9_000)],
        "mix-new": [*days(40, 300, last=2), *of(60, 200, 9_000)],
        "mix-gone": [*days(40, 300)],
        "mix-unknown": [*days(40, 300), *of(60, 200, None)],
        "mix-untold": [*days(40, 300), *of(60, 200, None, None)],
    }
    insert(writer, past)
    yield found_by_endpoint(reader, LengthMixShiftRule(settings=Settings()))
    reader.close()
    writer.close()


@pytest.mark.parametrize(
    ("endpoint", "sound", "naive", "known"),
    [
        ("mix-nightly", Verdict.SILENT, Verdict.TICKET, True),
        ("mix-moved", Verdict.TICKET, Verdict.TICKET, True),
        ("mix-outputs", Verdict.TICKET, Verdict.TICKET, True),
        ("mix-same", Verdict.SILENT, Verdict.SILENT, True),
        ("mix-chance", Verdict.SILENT, Verdict.TICKET, True),
        ("mix-few", Verdict.SILENT, Verdict.TICKET, False),
        ("mix-new", Verdict.SILENT, Verdict.TICKET, False),
        ("mix-unknown", Verdict.SILENT, Verdict.SILENT, False),
        ("mix-untold", Verdict.SILENT, Verdict.SILENT, False),
    ],
)
def test_each_mix(found: dict[str, Found], endpoint: str, sound: Verdict, naive: Verdict, known: bool) -> None:
    one = found[endpoint]

    assert (sound, naive, known) == (one.sound, one.naive, one.is_known)


def test_an_endpoint_that_nobody_asks_any_more_is_not_named(found: dict[str, Found]) -> None:
    assert "mix-gone" not in found


def test_the_words_name_what_grew(found: dict[str, Found]) -> None:
    assert found["mix-moved"].words["summary"].startswith("mix-moved m: inputs moved by 3.15 (chance alone 0.04)")
    assert found["mix-moved"].words["summary"].endswith("of 8192 to 16383 tokens were 0.0% before, 50.0% now")
    assert "outputs moved" in found["mix-outputs"].words["summary"]
    assert found["mix-few"].words["summary"] == "mix-few m: too few requests"
