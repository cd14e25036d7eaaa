import math

import pytest
from engine_pages import HERE, MODELS, PAGES, golden, made, page

from probes.aliases import Engine
from probes.normalise import STARTED, Before, Normalised, Scrape, increase, normalise
from probes.page import read
from probes.tally import UNKNOWN

SCRAPE = Scrape(ts=1000, endpoint="chat", replica="r0", engine=Engine.VLLM, models=("m",))
SUCCESS = "vllm:request_success_total"
BUCKETS = "".join(f'vllm:time_to_first_token_seconds_bucket{{le="{le}"}} %d\n' for le in ("0.1", "0.5", "+Inf"))


def vllm(text: str, before: Before | None = None, *, version: str = "", models: tuple[str, ...] = ("m",)) -> Normalised:
    scrape = Scrape(
        ts=1000, endpoint="chat", replica="r0", engine=Engine.VLLM, version=version, models=models, scrape_us=7
    )
    return normalise(read(text.encode(), Engine.VLLM), scrape, before)


def ttft(one: int, two: int, three: int) -> str:
    name = "vllm:time_to_first_token_seconds"
    return BUCKETS % (one, two, three) + f"{name}_count {three}\n{name}_sum {float(three)}\n"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_each_engine_becomes_what_the_golden_says(name: str) -> None:
    assert (HERE / f"{name}.json").read_text() == golden(name) + "\n"


@pytest.mark.parametrize("name", ["vllm_ray", "vllm_kserve", "vllm_old"])
def test_other_spellings_of_a_page_become_the_same_rows(name: str) -> None:
    plain, other = made("vllm"), made(name)

    assert (plain.sample, plain.histograms) == (other.sample, other.histograms)


def test_the_recorded_page_tells_what_a_query_by_hand_does() -> None:
    sample = made("vllm").sample
    text = page("vllm").decode()

    assert 'vllm:num_requests_running{engine="0",model_name="tiny-llama"} 128.0\n' in text
    assert 'vllm:generation_tokens_total{engine="0",model_name="tiny-llama"} 14156.0\n' in text
    assert (128, 14156, "tiny-llama", "awake", 8192.0 * 128) == (
        sample.running,
        sample.generation_tokens_total,
        sample.model,
        sample.sleep_state,
        sample.extra["kv_tokens_max"],
    )


def test_counters_hold_tokens_of_requests_that_no_histogram_has() -> None:
    told = made("vllm")
    [finished] = [one for one in told.histograms if one.metric == "request_prompt_tokens"]

    assert (told.sample.prompt_tokens_total or 0) > finished.sum


@pytest.mark.parametrize(("before", "now", "expected"), [(100, 7, 7), (100, 100, 0), (100, 130, 30), (0, 5, 5)])
def test_a_counter_that_fell_began_anew(before: float, now: float, expected: float) -> None:
    assert expected == increase(before, now)


def test_the_first_scrape_is_no_reset() -> None:
    assert 0 == vllm("vllm:prompt_tokens_total 100\n").sample.reset


RESETS = {
    "it rose": ("vllm:prompt_tokens_total 100\n", "vllm:prompt_tokens_total 107\n", 0),
    "it fell": ("vllm:prompt_tokens_total 100\n", "vllm:prompt_tokens_total 7\n", 1),
    "a gauge fell": ("vllm:num_requests_running 100\n", "vllm:num_requests_running 7\n", 0),
    "one of two ranks fell and the sum rose": (
        'vllm:prompt_tokens_total{engine="0"} 10\nvllm:prompt_tokens_total{engine="1"} 10\n',
        'vllm:prompt_tokens_total{engine="0"} 90\nvllm:prompt_tokens_total{engine="1"} 1\n',
        1,
    ),
    "a rank went": (
        'vllm:prompt_tokens_total{engine="0"} 10\nvllm:prompt_tokens_total{engine="1"} 10\n',
        'vllm:prompt_tokens_total{engine="0"} 90\n',
        1,
    ),
    "a rank came": (
        'vllm:prompt_tokens_total{engine="0"} 10\n',
        'vllm:prompt_tokens_total{engine="0"} 11\nvllm:prompt_tokens_total{engine="1"} 10\n',
        1,
    ),
    "a reason came": (
        f'{SUCCESS}{{finished_reason="stop"}} 10\n',
        f'{SUCCESS}{{finished_reason="stop"}} 10\n{SUCCESS}{{finished_reason="abort"}} 1\n',
        0,
    ),
    "only the start time tells": (
        "vllm:prompt_tokens_total 10\nprocess_start_time_seconds 1000\n",
        "vllm:prompt_tokens_total 11\nprocess_start_time_seconds 2000\n",
        1,
    ),
    "the start time is the same": (
        "vllm:prompt_tokens_total 10\nprocess_start_time_seconds 1000\n",
        "vllm:prompt_tokens_total 11\nprocess_start_time_seconds 1000\n",
        0,
    ),
}


@pytest.mark.parametrize(("first", "second", "reset"), RESETS.values(), ids=RESETS)
def test_whether_a_rate_goes_across_two_scrapes(first: str, second: str, reset: int) -> None:
    assert reset == vllm(second, vllm(first).after).sample.reset


def test_a_counter_that_is_not_believed_once_is_compared_with_what_was_believed_before() -> None:
    first = vllm("vllm:prompt_tokens_total 100\n")
    second = vllm("vllm:prompt_tokens_total NaN\n", first.after)

    assert (None, 0) == (second.sample.prompt_tokens_total, second.sample.reset)
    assert 1 == vllm("vllm:prompt_tokens_total 99\n", second.after).sample.reset
    assert 0 == vllm("vllm:prompt_tokens_total 101\n", second.after).sample.reset


def test_a_histogram_that_fell_began_anew() -> None:
    first = vllm(ttft(1, 2, 5))
    rose, fell = vllm(ttft(1, 3, 5), first.after), vllm(ttft(1, 1, 9), first.after)

    assert ([0], [1]) == ([one.reset for one in rose.histograms], [one.reset for one in fell.histograms])
    [row] = rose.histograms
    assert ("ttft", (0.1, 0.5, math.inf), (1, 3, 5), 5.0) == (row.metric, row.le, row.cumulative, row.sum)


def test_a_name_that_goes_with_a_new_version_is_missing_until_it_comes_back() -> None:
    old = vllm("vllm:kv_cache_usage_perc 0.5\nvllm:num_requests_running 1\n", version="0.31")
    same = vllm("vllm:num_requests_running 1\n", old.after, version="0.31")
    new = vllm("vllm:num_requests_running 1\n", same.after, version="0.32")
    still = vllm("vllm:num_requests_running 1\n", new.after, version="0.32")
    back = vllm("vllm:kv_cache_usage_perc 0.5\nvllm:num_requests_running 1\n", still.after, version="0.32")

    missing = {"kv_used_ratio", "kv_used_ratio_max"}
    assert [set(), missing, missing, set()] == [set(one.after.missing) for one in (same, new, still, back)]
    assert {"metric_missing.kv_used_ratio": 1.0, "metric_missing.kv_used_ratio_max": 1.0} == new.sample.extra


MODEL = {
    "known": (("m",), "m", "m"),
    "not known": (("m",), "x", UNKNOWN),
    "nothing is known": ((), "x", UNKNOWN),
    "the page names none and one is known": (("m",), "", "m"),
    "the page names none and two are known": (("m", "n"), "", ""),
}


@pytest.mark.parametrize(("known", "shown", "expected"), MODEL.values(), ids=MODEL)
def test_only_a_known_model_becomes_a_label(known: tuple[str, ...], shown: str, expected: str) -> None:
    assert expected == vllm(f'vllm:num_requests_running{{model_name="{shown}"}} 1\n', models=known).sample.model


def state(*on: str) -> str:
    lines = [
        f'vllm:engine_sleep_state{{engine="{core}",sleep_state="{name}"}} {int(name == now)}\n'
        for core, now in enumerate(on)
        for name in ("awake", "weights_offloaded", "discard_all")
    ]
    return vllm("".join(lines)).sample.sleep_state


def test_how_deep_the_engine_sleeps() -> None:
    assert ("awake", "discard_all", "mixed", "") == (
        state("awake"),
        state("discard_all", "discard_all"),
        state("awake", "discard_all"),
        state("none of them"),
    )


def config(**labels: str) -> Normalised:
    told = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return vllm(f"vllm:cache_config_info{{{told}}} 1\n")


def test_the_hash_of_a_configuration_is_the_same_for_all_its_ranks_and_no_other() -> None:
    one, again, other = (
        config(engine=e, block_size=b).sample.config_hash for e, b in (("0", "16"), ("1", "16"), ("0", "32"))
    )

    assert one == again
    assert 0 not in (one, other)
    assert one != other
    assert 0 == vllm("vllm:num_requests_running 1\n").sample.config_hash


def test_how_many_tokens_the_cache_holds() -> None:
    told = (
        config(num_gpu_blocks="10", block_size="16"),
        config(kv_cache_size_tokens="99", block_size="16"),
        config(a="1"),
    )

    assert [160.0, 99.0, None] == [one.sample.extra.get("kv_tokens_max") for one in told]


def test_what_was_rejected_is_told() -> None:
    extra = vllm("vllm:num_requests_running NaN\nvllm:kv_cache_usage_perc 2\n").sample.extra

    assert {"rejected.nan": 1.0, "rejected.out_of_range": 2.0} == extra


def test_a_row_says_when_where_and_of_what() -> None:
    sample = vllm(f"vllm:num_requests_running 1\nprocess_start_time_seconds 5\n{ttft(1, 2, 3)}").sample

    assert (1000, "chat", "r0", "vllm", 1, 7) == (
        sample.ts,
        sample.endpoint,
        sample.replica,
        sample.engine,
        sample.up,
        sample.scrape_us,
    )
    assert {STARTED: 5.0} == sample.extra
    assert MODELS[0] == made("vllm").sample.model
