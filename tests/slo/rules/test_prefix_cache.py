"""`prefix_cache_collapse` on a real store: the trap of another mix, both ways, and what is not known."""

from collections.abc import Iterator

import pytest
from past_requests import HOUR_S, NOW_S, Change, found_by_endpoint, insert

from slo.jump import Verdict
from slo.rules.prefix_cache import PrefixCacheCollapseRule
from slo.rules.rule import Found, Settings
from telemetry import schema
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

MARK_S = NOW_S - 1_800
RULE = PrefixCacheCollapseRule(settings=Settings(min_events=40))
"""Fewer requests than by default, to be quick; the default has its own case."""


def of(back_s: float, n: int, tokens_in: int, hit: float | None) -> Iterator[Change]:
    for at in range(n):
        yield (
            NOW_S - back_s - at,
            {"tokens_in": tokens_in, "tokens_cache_read": None if hit is None else round(hit * tokens_in)},
        )


def before(n_long: int, n_short: int) -> Iterator[Change]:
    """Yield the hour before the change: of long inputs 80 % are cached, of short ones 10 %."""
    yield from of(1_900, n_long, 8_000, 0.8)
    yield from of(1_900, n_short, 500, 0.1)


def mark(at_s: int, endpoint: str, kind: str = "deploy") -> tuple[object, ...]:
    return (at_s * 1_000, None, kind, "chat", endpoint, "v2", "ci", 1, "")


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[Store]:
    writer, reader = process.store("writer"), process.store("reader")
    past = {
        "cache-mix": [*before(40, 10), *of(60, 50, 500, 0.1)],
        "cache-hidden": [*before(2, 58), *of(60, 50, 8_000, 0.3), *of(60, 10, 500, 0.02)],
        "cache-broken": [*before(40, 10), *of(60, 40, 8_000, 0.1), *of(60, 10, 500, 0.1)],
        "cache-few": [*before(30, 5), *of(60, 30, 8_000, 0.1)],
        "cache-unused": [*of(1_900, 50, 8_000, 0.04), *of(60, 50, 8_000, 0.0)],
        "cache-untold": [*of(1_900, 50, 8_000, None), *of(60, 50, 8_000, None)],
        "cache-unmarked": [*before(40, 10), *of(60, 50, 8_000, 0.0)],
        "cache-priced": [*before(40, 10), *of(60, 50, 8_000, 0.0)],
        "cache-twice": [*before(40, 10), *of(1_000, 50, 8_000, 0.1), *of(60, 50, 8_000, 0.1)],
        "cache-newest": [
            *(one for hours in (2.5, 3.5) for one in of(hours * HOUR_S, 50, 8_000, 0.8)),
            *(*before(40, 10), *of(60, 50, 8_000, 0.1)),
        ],
        "cache-late": [*of(12.5 * HOUR_S, 50, 8_000, 0.8), *of(11.5 * HOUR_S, 50, 8_000, 0.8), *of(60, 50, 8_000, 0.0)],
        "cache-back": [*of(3 * HOUR_S, 50, 8_000, 0.8), *of(2 * HOUR_S, 50, 8_000, 0.1), *of(60, 50, 8_000, 0.7)],
    }
    insert(writer, past)
    marked = ("cache-mix", "cache-hidden", "cache-broken", "cache-few", "cache-unused", "cache-untold")
    marks = [
        *(mark(MARK_S, name) for name in marked),
        mark(MARK_S, "cache-twice"),
        mark(NOW_S - 600, "cache-twice", "config"),
        mark(MARK_S, "cache-newest"),
        mark(NOW_S - 3 * HOUR_S, "cache-newest", "config"),
        mark(MARK_S, "cache-priced", "price"),
        mark(NOW_S - 12 * HOUR_S, "cache-late", "config"),
        mark(NOW_S - 2 * HOUR_S - 1_800, "cache-back"),
    ]
    table = next(one for one in schema.TABLES if one.name == "markers")
    writer.insert_rows(table, marks, "cache-marks")
    yield reader
    reader.close()
    writer.close()


@pytest.fixture(scope="module")
def found(store: Store) -> dict[str, Found]:
    return found_by_endpoint(store, RULE)


@pytest.mark.parametrize(
    ("endpoint", "sound", "naive", "known"),
    [
        ("cache-mix", Verdict.SILENT, Verdict.TICKET, True),
        ("cache-hidden", Verdict.TICKET, Verdict.SILENT, True),
        ("cache-broken", Verdict.TICKET, Verdict.TICKET, True),
        ("cache-few", Verdict.SILENT, Verdict.TICKET, False),
        ("cache-unused", Verdict.SILENT, Verdict.TICKET, False),
        ("cache-late", Verdict.SILENT, Verdict.TICKET, True),
        ("cache-back", Verdict.SILENT, Verdict.SILENT, True),
    ],
)
def test_each_change(found: dict[str, Found], endpoint: str, sound: Verdict, naive: Verdict, known: bool) -> None:
    one = found[endpoint]

    assert (sound, naive, known) == (one.sound, one.naive, one.is_known)


def test_without_a_change_nothing_is_said(found: dict[str, Found]) -> None:
    assert not {"cache-unmarked", "cache-priced"} & found.keys()


def test_an_engine_that_does_not_say_what_it_reads_is_unknown_and_not_well(found: dict[str, Found]) -> None:
    one = found["cache-untold"]

    assert (Verdict.SILENT, Verdict.SILENT, False) == (one.sound, one.naive, one.is_known)
    assert one.words["summary"] == (
        "cache-untold m: 30 min after deploy v2 it is unknown what the prefix cache reads; 100 requests do not say it"
    )


def test_the_words_name_the_change(found: dict[str, Found]) -> None:
    assert found["cache-broken"].words == {
        "summary": "cache-broken m: 30 min after deploy v2 "
        "the prefix cache reads 13% of what it read of such inputs before",
        "sound": "78.9% of input tokens in the hour before, 10.0% in the last",
        "naive": "78.9% of input tokens in the hour before, 10.0% in the last, of any length",
    }


def test_a_thousand_requests_are_wanted_by_default(store: Store) -> None:
    assert not found_by_endpoint(store, PrefixCacheCollapseRule(settings=Settings()))["cache-broken"].is_known


def test_an_alert_ends_when_the_cache_works_again(store: Store) -> None:
    while_broken = found_by_endpoint(store, RULE, NOW_S - 2 * HOUR_S + 600)

    assert Verdict.TICKET is while_broken["cache-back"].sound


def test_another_drop_may_be_set(store: Store) -> None:
    deeper = PrefixCacheCollapseRule(settings=Settings(min_events=40, threshold=0.9))

    assert Verdict.SILENT is found_by_endpoint(store, deeper)["cache-broken"].sound


@pytest.mark.parametrize("endpoint", ["cache-twice", "cache-newest"])
def test_of_two_changes_the_one_that_broke_it_is_told(found: dict[str, Found], endpoint: str) -> None:
    assert found[endpoint].words["summary"].startswith(f"{endpoint} m: 30 min after deploy")
