"""`cost_jump` on a real store: a quiet night, replicas that nobody needs, and what is not known."""

from collections.abc import Iterator

import pytest
from past_requests import DAY_S, HOUR_S, NOW_S, Change, found_by_endpoint, insert

from slo.jump import Verdict
from slo.rules.cost import CostJumpRule
from slo.rules.rule import Found, Settings
from telemetry.samples import EngineSample, GpuRow
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

SPEEDS = {"prefill_tokens_per_s": 9_000.0, "decode_tokens_per_s": 1_000.0}
OPTIONS = {"gpu_usd_per_hour": 2.0, "gpus_per_replica": 4.0, "headroom": 1.0, "rho_max": 1.0, **SPEEDS}
RULE = CostJumpRule(settings=Settings(window_s=HOUR_S, min_events=10, options=OPTIONS))
"""Windows of an hour, to be quick."""
DAYS = 5


def night(days_ago: int, tokens: int, n: int = 20) -> Iterator[Change]:
    """Yield the requests of an hour, which make so many output tokens, each of a second of a replica's work."""
    for at in range(n):
        yield NOW_S - days_ago * DAY_S - 60 - at, {"tokens_in": 0, "tokens_cache_read": 0, "tokens_out": tokens // n}


def nights(tokens: int) -> Iterator[Change]:
    for days_ago in range(1, DAYS + 1):
        yield from night(days_ago, tokens)


def scraped(endpoint: str, replicas: int, days_ago: int, minutes: int = 60) -> Iterator[EngineSample]:
    for minute in range(1, minutes + 1):
        ts = (NOW_S - days_ago * DAY_S - minute * 60) * 1_000
        for at in range(replicas):
            yield EngineSample(ts=ts, endpoint=endpoint, replica=str(at), up=1, scrape_us=1)


def before(endpoint: str, replicas: int = 6) -> Iterator[EngineSample]:
    for days_ago in range(1, DAYS + 1):
        yield from scraped(endpoint, replicas, days_ago)


HOUR_OF_SIX = 6 * HOUR_S * 1_000
"""Output tokens that six replicas make in an hour."""


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[Store]:
    writer, reader = process.store("writer"), process.store("reader")
    past = {
        "cost-quiet": [*nights(HOUR_OF_SIX), *night(0, HOUR_OF_SIX * 3 // 4)],
        "cost-idle": [*nights(HOUR_OF_SIX // 2), *night(0, HOUR_OF_SIX // 2)],
        "cost-same": [*nights(HOUR_OF_SIX), *night(0, HOUR_OF_SIX)],
        "cost-busy-once": [*nights(HOUR_OF_SIX // 2), *night(3, HOUR_OF_SIX // 2), *night(0, HOUR_OF_SIX // 2)],
        "cost-few": [*nights(HOUR_OF_SIX), *night(0, HOUR_OF_SIX // 3, n=9)],
        "cost-unseen": [*nights(HOUR_OF_SIX), *night(0, HOUR_OF_SIX // 2)],
        "cost-new": [*night(1, HOUR_OF_SIX), *night(0, HOUR_OF_SIX // 2)],
        "cost-hosted": [*nights(HOUR_OF_SIX), *night(0, HOUR_OF_SIX // 2)],
        "cost-gone": [*nights(HOUR_OF_SIX)],
    }
    insert(writer, past)
    scrapes = [
        *(one for name in ("quiet", "same", "few", "unseen", "gone", "busy-once") for one in before(f"cost-{name}")),
        *before("cost-idle", replicas=3),
        *scraped("cost-idle", 4, 0),
        *(one for name in ("quiet", "same", "few", "new", "busy-once") for one in scraped(f"cost-{name}", 6, 0)),
        *scraped("cost-unseen", 6, 0, minutes=50),
        *scraped("cost-new", 6, 1),
    ]
    writer.insert_samples(scrapes, "cost-scrapes")
    gpus = [
        GpuRow(
            ts=(NOW_S - days_ago * DAY_S - 60) * 1_000, node="n", gpu_uuid=str(at), mig_uuid="", gpu_name="H100",
            endpoint="cost-same", replica="0", gpu_index=at,
        )
        for days_ago in range(DAYS + 1) for at in range(12)
    ]  # fmt: skip
    writer.insert_samples(gpus, "cost-gpus")
    yield reader
    reader.close()
    writer.close()


@pytest.fixture(scope="module")
def found(store: Store) -> dict[str, Found]:
    return found_by_endpoint(store, RULE)


@pytest.mark.parametrize(
    ("endpoint", "sound", "naive", "known"),
    [
        ("cost-quiet", Verdict.SILENT, Verdict.TICKET, True),
        ("cost-idle", Verdict.TICKET, Verdict.TICKET, True),
        ("cost-same", Verdict.SILENT, Verdict.SILENT, True),
        ("cost-busy-once", Verdict.SILENT, Verdict.SILENT, True),
        ("cost-few", Verdict.SILENT, Verdict.TICKET, False),
        ("cost-unseen", Verdict.SILENT, Verdict.SILENT, False),
        ("cost-new", Verdict.SILENT, Verdict.TICKET, False),
        ("cost-hosted", Verdict.SILENT, Verdict.SILENT, False),
    ],
)
def test_each_night(found: dict[str, Found], endpoint: str, sound: Verdict, naive: Verdict, known: bool) -> None:
    one = found[endpoint]

    assert (sound, naive, known) == (one.sound, one.naive, one.is_known)


def test_an_endpoint_that_nobody_asks_any_more_is_not_named(found: dict[str, Found]) -> None:
    assert "cost-gone" not in found


def test_the_words_split_the_change(found: dict[str, Found]) -> None:
    # Work for 4.5 replicas needs 5: floor (5/4.5) / (6/6) = 1.11, scaling (6/5) / (6/6) = 1.2.
    assert found["cost-quiet"].words["summary"] == (
        "cost-quiet: a million output tokens cost 2.96 USD, 1.33 times the median of 5 nights, "
        "1.2 times without what traffic did (scaling 1.2, floor 1.11, price 1, mix 1, speed 1)"
    )
    assert "1.33 times without what traffic did (scaling 1.33, " in found["cost-idle"].words["summary"]


def test_without_a_price_nothing_is_known_and_it_is_no_0(store: Store) -> None:
    unpriced = Settings(window_s=HOUR_S, min_events=10, options=SPEEDS)
    found = found_by_endpoint(store, CostJumpRule(settings=unpriced))["cost-idle"]

    assert (Verdict.SILENT, False) == (found.sound, found.is_known)
    assert found.words["summary"] == "cost-idle: what a token costs is unknown: gpu_usd_per_hour not set"


def test_gpus_are_those_that_were_sampled_if_nobody_says_otherwise(store: Store) -> None:
    options = {name: value for name, value in OPTIONS.items() if name != "gpus_per_replica"}
    found = found_by_endpoint(store, CostJumpRule(settings=Settings(window_s=HOUR_S, min_events=10, options=options)))

    # 12 GPUs of 6 replicas are two each: 6 * 2 * 2 USD for 21.6 million tokens.
    assert "cost 1.11 USD" in found["cost-same"].words["summary"]
    assert "gpus_per_replica not set, and no GPU sampled" in found["cost-idle"].words["summary"]


def test_too_few_nights_and_another_jump_are_said(store: Store, found: dict[str, Found]) -> None:
    strict = CostJumpRule(settings=Settings(window_s=HOUR_S, min_events=10, threshold=0.1, options=OPTIONS))

    assert found["cost-new"].words["summary"].endswith("unknown: 1 nights known of 4")
    assert Verdict.TICKET is found_by_endpoint(store, strict)["cost-quiet"].sound
