"""Says what stands on the page of metrics of a simulated engine, and that our own reader understands it."""

import re
from pathlib import Path

import pytest
from engines import PLAIN

from loadtest.fleet.page import Buckets, Counts, page
from loadtest.fleet.replica import Load
from loadtest.fleet.requests import End, Request
from probes.aliases import Engine
from probes.normalise import Scrape, normalise
from probes.page import read

ASK: Request = (10.0, 100, 11, None)
LOAD = Load(
    running=3,
    waiting=2,
    waiting_prompt_tokens=200,
    kv_used_ratio=0.25,
    busy_s=1.0,
    preemptions=4,
    prompt_tokens=500,
    hit_tokens=100,
)
REAL = (Path(__file__).parents[2] / "fixtures" / "metrics" / "vllm.txt").read_text()


def counted() -> Counts:
    counts = Counts()
    counts.tokens(ASK, 1, 0.3, is_first=True)
    counts.tokens(ASK, 10, 0.5, is_first=False)
    counts.end(ASK, 10.3, 10.8, End.OK)
    counts.end((10.0, 5, 1, None), 10.1, 10.1, End.OK)
    counts.end(ASK, None, 11.0, End.ABANDONED)
    return counts


def shown(model: str = "m", engines: int = 1) -> bytes:
    return page(model, [(counted(), PLAIN, LOAD)] * engines, 7.5)


@pytest.mark.parametrize(("engines", "running", "ends"), [(1, 3, 2), (2, 6, 4)])
def test_our_reader_believes_all_of_it(engines: int, running: int, ends: int) -> None:
    found = read(shown(engines=engines), Engine.VLLM)
    sample = normalise(found, Scrape(ts=1, endpoint="e", replica="r", engine=Engine.VLLM)).sample

    assert {} == dict(found.rejects)
    assert (running, ends, "awake") == (sample.running, sample.success_total["length"], sample.sleep_state)
    assert (7.5, engines * 16_000.0) == (sample.extra["process_start_unix_s"], sample.extra["kv_tokens_max"])


@pytest.mark.parametrize(
    "line",
    [
        'vllm:num_requests_running{engine="0",model_name="m"} 3.0',
        'vllm:num_requests_waiting{engine="0",model_name="m"} 2.0',
        'vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25',
        'vllm:prompt_tokens_total{engine="0",model_name="m"} 100.0',
        'vllm:generation_tokens_total{engine="0",model_name="m"} 11.0',
        'vllm:num_preemptions_total{engine="0",model_name="m"} 4.0',
        'vllm:prefix_cache_hits_total{engine="0",model_name="m"} 100.0',
        'vllm:request_success_total{engine="0",finished_reason="length",model_name="m"} 2.0',
        'vllm:request_success_total{engine="0",finished_reason="abort",model_name="m"} 1.0',
        'vllm:time_to_first_token_seconds_bucket{engine="0",le="0.25",model_name="m"} 0.0',
        'vllm:time_to_first_token_seconds_bucket{engine="0",le="0.5",model_name="m"} 1.0',
        'vllm:inter_token_latency_seconds_count{engine="0",model_name="m"} 10.0',
        'vllm:inter_token_latency_seconds_sum{engine="0",model_name="m"} 0.5',
        'vllm:request_time_per_output_token_seconds_count{engine="0",model_name="m"} 1.0',
        'vllm:e2e_request_latency_seconds_count{engine="0",model_name="m"} 2.0',
    ],
    ids=str,
)
def test_lines(line: str) -> None:
    assert line in shown().decode().splitlines()


def test_names_and_edges_are_those_of_the_real_page() -> None:
    ours = {line.rpartition(" ")[0] for line in shown("tiny-llama").decode().splitlines()}
    plain = {name for name in ours if not name.startswith(("#", "vllm:cache_config_info"))}

    real = {line.rpartition(" ")[0] for line in REAL.splitlines()}

    assert set() == plain - real


def test_the_configuration_of_the_cache_has_labels_of_the_real_one() -> None:
    (ours,) = [line for line in shown().decode().splitlines() if line.startswith("vllm:cache_config_info")]
    (real,) = [line for line in REAL.splitlines() if line.startswith("vllm:cache_config_info")]

    assert set() == set(re.findall(r"(\w+)=", ours)) - set(re.findall(r"(\w+)=", real))


def test_a_value_on_an_edge_is_within() -> None:
    buckets = Buckets((1.0, 2.0))
    for value in (1.0, 1.5, 3.0):
        buckets.add(value)

    assert ["1.0", "2.0", "3.0", "3.0", "5.5"] == [line.rpartition(" ")[2] for line in buckets.lines("x", 0, "y")]
