"""By what one sees that a switch of an engine is off."""

import pytest

from inferometer.doctor_flags import SWITCHES, Clue, Seen, Stream, known, off, on_page, switches
from probes.aliases import UNLOCKS, Engine

# Lines of the page of a vLLM 0.32.0 started without `--kv-cache-metrics`, and one that it has with it.
PLAIN = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="tiny-llama"} 0.0
vllm:prompt_tokens_total{engine="0",model_name="tiny-llama"} 0.0
"""
BLOCKS = 'vllm:kv_block_lifetime_seconds_bucket{engine="0",le="0.001",model_name="tiny-llama"} 0.0\n'
EVERYTHING = Stream(usage_unasked=True, usage=frozenset({"prompt_tokens_details"}), beside=frozenset({"metrics"}))
NOTHING = Stream(usage_unasked=False, usage=frozenset(), beside=frozenset())


def flags(engine: Engine, seen: Seen) -> list[str]:
    return [switch.flag for switch in off(engine, seen)]


def test_vllm_without_its_switches_is_told_each_by_its_own_sign() -> None:
    bare = Seen(metrics=on_page(PLAIN), headers=frozenset({"date", "server"}), stream=NOTHING)

    assert flags(Engine.VLLM, bare) == [
        "--kv-cache-metrics",
        "--enable-request-id-headers",
        "--enable-force-include-usage",
        "--enable-prompt-tokens-details",
        "--enable-per-request-metrics",
    ]


def test_vllm_with_all_of_them_is_told_nothing() -> None:
    full = Seen(metrics=on_page(PLAIN + BLOCKS), headers=frozenset({"x-request-id"}), stream=EVERYTHING)

    assert flags(Engine.VLLM, full) == []


@pytest.mark.parametrize("engine", list(Engine))
def test_what_was_not_looked_at_is_not_said_to_be_off(engine: Engine) -> None:
    assert flags(engine, Seen()) == []


def test_only_what_was_looked_at_is_said_to_be_off() -> None:
    assert flags(Engine.VLLM, Seen(headers=frozenset())) == ["--enable-request-id-headers"]
    assert flags(Engine.SGLANG, Seen(stream=NOTHING)) == ["--enable-cache-report"]


@pytest.mark.parametrize("engine", list(UNLOCKS))
def test_an_engine_without_a_page_is_told_how_to_have_one_and_nothing_about_the_page(engine: Engine) -> None:
    (switch,) = off(engine, Seen(metrics=frozenset()))

    assert (switch.clue, switch.flag) == (Clue.PAGE, UNLOCKS[engine])
    assert switch.fix.startswith("start ")


def test_a_page_of_something_else_is_no_page_of_the_engine() -> None:
    page = "python_info 1.0\nprocess_cpu_seconds_total 7\n"

    assert [switch.clue for switch in off(Engine.VLLM, Seen(metrics=on_page(page)))] == [Clue.PAGE]


def test_a_name_is_read_in_every_spelling_and_only_with_a_sample() -> None:
    page = '# TYPE vllm:a gauge\nray_vllm_b{x="y"} 1\nkserve_vllm:c_total 2\nvllm:d_seconds_count{} 3\n'

    assert on_page(page) == {"vllm_b", "vllm_c", "vllm_d_seconds"}


def test_every_switch_names_what_it_fills_and_how_it_shows() -> None:
    for engine in Engine:
        for switch in switches(engine):
            assert switch.unlocks
            assert bool(switch.name) is (switch.clue not in {Clue.PAGE, Clue.USAGE})
    assert set(SWITCHES) <= set(UNLOCKS)
    assert "vllm_num_requests_running" in known(Engine.VLLM)
