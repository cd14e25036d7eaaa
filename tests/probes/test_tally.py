import pytest

from probes.aliases import Engine
from probes.page import read
from probes.tally import COUNT_MAX, GAUGE_MAX, KEYS_MAX, UNKNOWN, Tally, tally, word


def told(engine: Engine, *lines: str) -> Tally:
    return tally(read("".join(f"{line}\n" for line in lines).encode(), engine), engine)


def vllm(*lines: str) -> Tally:
    return told(Engine.VLLM, *lines)


def test_counters_and_queues_of_several_engine_cores_are_added_up_and_a_share_has_mean_and_largest() -> None:
    found = vllm(
        *(f'vllm:num_requests_running{{engine="{core}"}} {core + 1}' for core in range(3)),
        *(f'vllm:prompt_tokens_total{{engine="{core}"}} 100' for core in range(3)),
        *(f'vllm:kv_cache_usage_perc{{engine="{core}"}} {core * 0.25}' for core in range(3)),
    )

    assert {
        "running": {"": 6.0},
        "prompt_tokens_total": {"": 300.0},
        "kv_used_ratio": {"": 0.25},
        "kv_used_ratio_max": {"": 0.5},
    } == found.values


def test_ranks_of_one_scheduler_count_once() -> None:
    found = told(
        Engine.SGLANG,
        *(
            f'sglang:num_queue_reqs{{dp_rank="{dp}",tp_rank="{tp}",moe_ep_rank="{tp}"}} {dp + 2}'
            for dp in (0, 1)
            for tp in (0, 1, 2, 3)
        ),
    )

    assert {"queued": {"": 5.0}} == found.values


def test_of_a_queue_by_priority_only_the_total_counts() -> None:
    found = told(
        Engine.SGLANG,
        'sglang:num_running_reqs{priority=""} 8',
        'sglang:num_running_reqs{priority="1"} 5',
        'sglang:num_running_reqs{priority="2"} 3',
    )

    assert {"running": {"": 8.0}} == found.values


def test_answers_to_our_own_questions_are_not_counted() -> None:
    found = told(
        Engine.SGLANG,
        'sglang:http_responses_total{endpoint="/v1/chat/completions",status_code="200"} 7',
        'sglang:http_responses_total{endpoint="/metrics",status_code="200"} 900',
    )

    assert {"http_total": {"200": 7.0}} == found.values


def test_waiting_is_what_waits_in_the_engine_and_before_it() -> None:
    found = told(Engine.LMDEPLOY, "lmdeploy:num_requests_waiting 2", "lmdeploy:num_api_requests_waiting 5")

    assert {"queued": {"": 7.0}} == found.values


def test_one_metric_with_a_label_is_two_of_ours() -> None:
    found = vllm(
        'vllm:num_requests_waiting_by_reason{reason="capacity"} 3',
        'vllm:num_requests_waiting_by_reason{reason="deferred"} 1',
        'vllm:num_requests_waiting_by_reason{reason="other"} 9',
    )

    assert {"queued_capacity": {"": 3.0}, "queued_deferred": {"": 1.0}} == found.values


def test_an_old_name_counts_only_where_todays_name_is_not() -> None:
    old, new = "vllm:gpu_cache_usage_perc 0.9", "vllm:kv_cache_usage_perc 0.4"

    assert {"": 0.9} == vllm(old).values["kv_used_ratio"]
    assert {"": 0.4} == vllm(old, new).values["kv_used_ratio"]
    assert "vllm:gpu_cache_usage_perc" == vllm(old).spelled["kv_used_ratio"]


def test_an_ensemble_counts_a_request_once() -> None:
    found = told(Engine.TRITON, *(f'nv_inference_request_success{{model="{m}"}} 7' for m in ("whole", "a", "b")))

    assert {"success_total": {"": 7.0}} == found.values


def test_units_become_seconds() -> None:
    name = "nv_inference_first_response_histogram_ms"
    found = told(
        Engine.TRITON,
        "nv_inference_queue_duration_us 2500000",
        f'{name}_bucket{{le="100"}} 1',
        f'{name}_bucket{{le="+Inf"}} 2',
        f"{name}_count 2",
        f"{name}_sum 1850",
    )

    [ttft] = found.histograms["ttft"].values()

    assert ({"": 2.5}, (0.1, float("inf")), 1.85) == (found.values["queue_s_total"], ttft.le, ttft.sum)


def test_a_sum_with_a_part_missing_is_unknown() -> None:
    found = vllm(
        'vllm:num_requests_running{engine="0"} 4',
        'vllm:num_requests_running{engine="1"} NaN',
        'vllm:num_requests_waiting{engine="0"} 1',
    )

    assert {"queued": {"": 1.0}} == found.values


def test_in_a_map_only_the_entry_that_is_not_believed_is_missing() -> None:
    found = vllm(
        'vllm:request_success_total{finished_reason="stop"} 4',
        'vllm:request_success_total{finished_reason="length"} NaN',
    )

    assert {"success_total": {"stop": 4.0}} == found.values


def test_of_a_map_with_a_line_that_cannot_be_read_nothing_is_known() -> None:
    found = vllm(
        'vllm:request_success_total{finished_reason="stop"} 4',
        'vllm:request_success_total{finished_reason="stop} 4',
    )

    assert {} == found.values


def test_a_doubt_about_another_label_set_is_no_doubt() -> None:
    found = vllm(
        'vllm:num_requests_waiting_by_reason{reason="capacity"} 3',
        'vllm:num_requests_waiting_by_reason{reason="deferred"} NaN',
    )

    assert {"queued_capacity": {"": 3.0}} == found.values


def histogram(labels: str, bounds: tuple[str, ...], n: int) -> list[str]:
    name = "vllm:time_to_first_token_seconds"
    return [
        *(f'{name}_bucket{{{labels},le="{bound}"}} {n}' for bound in bounds),
        f"{name}_count{{{labels}}} {n}",
        f"{name}_sum{{{labels}}} 1",
    ]


def test_histograms_with_other_bounds_cannot_be_added_up() -> None:
    other = (*histogram('engine="0"', ("1", "+Inf"), 3), *histogram('engine="1"', ("2", "+Inf"), 4))

    assert [2] == [len(sets) for sets in vllm(*same_twice()).histograms.values()]
    assert {} == vllm(*other).histograms


def test_histograms_whose_sums_overflow_together_are_unknown() -> None:
    huge = [line.replace("} 1", "} 1e308") if "_sum" in line else line for line in same_twice()]

    assert {} == vllm(*huge).histograms


def same_twice() -> list[str]:
    return [*histogram('engine="0"', ("1", "+Inf"), 3), *histogram('engine="1"', ("1", "+Inf"), 4)]


def test_a_histogram_with_a_rank_that_is_not_believed_is_unknown() -> None:
    assert {} == vllm(*histogram('engine="0"', ("1", "+Inf"), 3), *histogram('engine="1"', ("1",), 4)).histograms


IMPOSSIBLE = {
    "a share above 1": "vllm:kv_cache_usage_perc 1.01",
    "half a request": "vllm:num_requests_running 0.5",
    "more requests than a column holds": f"vllm:num_requests_running {GAUGE_MAX + 1}",
    "half a token": "vllm:prompt_tokens_total 0.5",
    "more tokens than a column holds": f"vllm:prompt_tokens_total {2 * COUNT_MAX}",
}


@pytest.mark.parametrize("line", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_value_that_cannot_be_true_is_none_and_is_counted(line: str) -> None:
    found = vllm(line, "vllm:num_requests_waiting 1")

    assert {"queued": {"": 1.0}} == found.values
    assert found.odd


def test_a_value_at_the_bound_is_believed() -> None:
    found = vllm(f"vllm:num_requests_running {GAUGE_MAX}", "vllm:kv_cache_usage_perc 1.0")

    assert ({"": float(GAUGE_MAX)}, {"": 1.0}, 0) == (found.values["running"], found.values["kv_used_ratio"], found.odd)


def test_a_sum_that_overflows_is_none() -> None:
    found = told(Engine.LLAMACPP, 'llamacpp:prompt_seconds_total{a="1"} 1e308', "llamacpp:prompt_seconds_total 1e308")

    assert ({}, 1) == (found.values, found.odd)


def test_a_map_has_so_many_keys_and_the_rest_under_one() -> None:
    lines = [f'vllm:request_success_total{{finished_reason="r{at}"}} 1' for at in range(KEYS_MAX + 8)]
    found = vllm(*lines).values["success_total"]

    assert (KEYS_MAX + 1, 8.0) == (len(found), found[UNKNOWN])


WORDS = {"ResponseType.FINISH": "finish", "2xx": "2xx", "stop": "stop", "": UNKNOWN, "x" * 41: UNKNOWN, "a b": UNKNOWN}


@pytest.mark.parametrize(("text", "expected"), WORDS.items())
def test_a_word_of_an_engine_is_shown_only_if_it_is_one(text: str, expected: str) -> None:
    assert expected == word(text)


def test_tokens_of_the_engine_that_has_no_counter_are_the_sum_of_its_histogram() -> None:
    name = "tgi_request_input_length"
    lines = (f'{name}_bucket{{le="10"}} 1', f'{name}_bucket{{le="+Inf"}} 2', f"{name}_count 2", f"{name}_sum 37")
    found = told(Engine.TGI, *lines)

    assert ({"": 37.0}, ["request_prompt_tokens"]) == (found.values["prompt_tokens_total"], list(found.histograms))
    assert {(name, ()): 37.0} == found.counters
