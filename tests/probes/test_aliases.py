import re

import pytest

from probes.aliases import REPLICATED, TABLE, UNLOCKS, Engine, Kind, histogram_keys, key
from probes.tally import COUNTS, GAUGES, MAPS
from telemetry.samples import EngineSample

SPELLINGS = {
    "as vLLM writes it": "vllm:num_requests_running",
    "as Ray writes it": "ray_vllm_num_requests_running",
    "as Ray writes it, with the colon kept": "ray_vllm:num_requests_running",
    "as OpenShift AI writes it": "kserve_vllm:num_requests_running",
    "as OpenMetrics has it": "vllm_num_requests_running",
}


@pytest.mark.parametrize("name", SPELLINGS.values(), ids=SPELLINGS)
def test_one_metric_has_one_key_however_it_is_spelled(name: str) -> None:
    assert "vllm_num_requests_running" == key(name)


def test_total_means_nothing_except_in_the_name_of_a_histogram() -> None:
    assert key("vllm:prompt_tokens_total") == key("vllm:prompt_tokens")
    assert "vllm_iteration_tokens_total" == key("vllm:iteration_tokens_total") == key("ray_vllm_iteration_tokens_total")


def test_a_prefix_counts_once_and_only_in_front() -> None:
    assert "vllm_ray_things" == key("vllm:ray_things")
    assert "kserve_vllm_x" == key("ray_kserve_vllm:x")


def test_every_engine_tells_what_a_dashboard_cannot_do_without() -> None:
    told = {engine: {source.canonical for source in TABLE[engine]} for engine in Engine}

    assert {engine for engine in Engine if not {"running", "queued"} <= told[engine]} == set()


@pytest.mark.parametrize("engine", Engine)
def test_every_name_is_one_that_a_page_can_have(engine: Engine) -> None:
    names = [name for source in TABLE[engine] for name in source.names]

    assert [] == [name for name in names if not re.fullmatch(r"[a-z][a-z0-9_]*(:[a-z0-9_]+)?", name)]


@pytest.mark.parametrize("engine", Engine)
def test_no_key_is_read_as_two_kinds_except_as_the_sum_of_a_histogram(engine: Engine) -> None:
    kinds: dict[str, set[Kind]] = {}
    for source in TABLE[engine]:
        for name in source.names:
            kinds.setdefault(key(name), set()).add(source.kind)

    both = {name for name, seen in kinds.items() if len(seen) > 1}

    assert all(kinds[name] == {Kind.COUNTER, Kind.HISTOGRAM} for name in both)
    assert both <= histogram_keys(engine)


def test_what_has_a_column_is_of_the_kind_of_the_column() -> None:
    kinds = {source.canonical: source.kind for sources in TABLE.values() for source in sources}

    assert {Kind.GAUGE} == {kinds[name] for name in (*GAUGES, "kv_used_ratio", "sleep_state")}
    assert {Kind.COUNTER} == {kinds[name] for name in (*COUNTS, *MAPS)}
    assert {*GAUGES, *COUNTS, *MAPS} <= set(EngineSample.__struct_fields__)


def test_a_map_has_a_label_and_a_single_value_has_none() -> None:
    by = {source.canonical: source.by for source in TABLE[Engine.VLLM]}

    assert ("finished_reason", "status", "", "") == tuple(
        by[name] for name in ("success_total", "http_total", "running", "rejections_total")
    )


def test_ranks_that_tell_the_same_are_known_and_so_is_what_makes_a_page() -> None:
    assert frozenset({"tp_rank", "pp_rank", "moe_ep_rank"}) == REPLICATED[Engine.SGLANG]
    assert "--metrics" == UNLOCKS[Engine.LLAMACPP]
