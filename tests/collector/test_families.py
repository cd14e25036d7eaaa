from itertools import accumulate
from typing import Any

from finished import BROKEN, LEFT, counted, finished, never

from collector.catalogue import REQUESTS
from collector.families import Family, Shown, measured
from telemetry.histogram import build
from telemetry.outcome import Phase
from telemetry.record import RequestRecord


def families(*records: RequestRecord) -> dict[str, Family]:
    return {family.spec.name: family for family in measured(counted(*records).read(never))}


def points(name: str, *records: RequestRecord) -> dict[tuple[str, ...], Any]:
    return dict(families(*records)[name].points)


def shown(name: str, *records: RequestRecord) -> Shown:
    (value,) = points(name, *records).values()
    assert isinstance(value, Shown)
    return value


def test_every_family_of_the_catalogue_is_there_even_without_a_request() -> None:
    assert [spec.name for spec in REQUESTS] == list(families())


def test_requests_are_counted_by_outcome_and_phase() -> None:
    assert points("requests", finished(), finished(LEFT), finished(LEFT, phase=Phase.STREAMING), finished(BROKEN)) == {
        ("chat", "m", "openai_chat", "ok", "done"): 1,
        ("chat", "m", "openai_chat", "client_cancelled", "queued"): 1,
        ("chat", "m", "openai_chat", "client_cancelled", "streaming"): 1,
        ("chat", "m", "openai_chat", "stream_error", "streaming"): 1,
    }


def test_every_judgement_of_a_model_is_there_from_its_first_request_on() -> None:
    # Else the first bad request would make a series that starts at 1, in which a rate sees nothing.
    assert points("requests_eligible", finished(), finished(model="n", eligible="bad")) == {
        ("chat", model, word): int((model, word) in {("m", "good"), ("n", "bad")})
        for model in ("m", "n")
        for word in ("good", "bad", "excluded", "censored")
    }


def test_faults_under_200_and_clients_that_left_are_counted_apart() -> None:
    records = (finished(), finished(BROKEN), finished(LEFT), finished(LEFT))

    assert points("in_stream_errors", *records) == {("chat", "m"): 1}
    assert points("client_cancels", *records) == {
        ("chat", "m", "connect"): 0,
        ("chat", "m", "queued"): 2,
        ("chat", "m", "streaming"): 0,
    }


def test_tokens_of_failed_requests_are_part_of_all_and_shown_apart() -> None:
    records = (finished(tokens_cache_read=20), finished(BROKEN), finished(tokens_out=None), finished(LEFT))
    names = ("tokens_in", "tokens_out", "tokens_failed", "tokens_cache_read", "requests_tokens_unknown")

    assert [points(name, *records)["chat", "m"] for name in names] == [200, 108, 7, 20, 1]


def test_durations_are_those_of_what_ended_well() -> None:
    ttft = shown("ttft_seconds", finished(), finished(BROKEN, ttft_us=1))
    e2e = shown("e2e_seconds", finished(), finished(api="http"), finished(LEFT))

    assert (ttft.n, ttft.total, e2e.n, e2e.total) == (1, 0.5, 2, 4.0)
    assert dict(zip(ttft.bounds, ttft.cumulative, strict=False))[0.5] == 1
    assert dict(zip(ttft.bounds, ttft.cumulative, strict=False))[0.45] == 0


def test_a_zero_is_in_the_zero_bucket_of_the_native_histogram() -> None:
    native = shown("ttft_seconds", finished(ttft_us=0), finished()).native

    assert (native.zero_count, native.count_value, list(native.pos_deltas)) == (1, 2, [1])


def test_inter_token_latencies_sum_to_their_buckets_middles() -> None:
    itl = shown("itl_seconds", finished(), finished(LEFT, itl_h={3: 9}))

    assert (itl.n, itl.native.count_value) == (100, 100)
    assert 60 * 2 ** (-97 / 16) + 40 * 2 ** (-96 / 16) < itl.total < 60 * 2 ** (-96 / 16) + 40 * 2 ** (-95 / 16)


def test_the_native_histogram_has_its_values_where_the_store_has_them() -> None:
    times = [10_000 * at for at in range(1, 200)]
    native = shown("e2e_seconds", *[finished(e2e_us=us) for us in times]).native
    counts, found, at = accumulate(native.pos_deltas), dict[int, int](), 0
    for offset, length in native.pos_spans:
        at += offset
        found |= {number - 1: next(counts) for number in range(at, at + length)}
        at += length

    assert found == build(times)
