"""What engines say of themselves, in the shapes that they have (sources in the module)."""

import json
from typing import Any

import msgspec
import pytest

from inferometer.engine_facts import (
    FLAGS_MAX,
    VALUE_CHARACTERS_MAX,
    decoded,
    differing,
    merged,
    of_page,
    of_server_info,
)
from inferometer.load_key import Engine
from probes.aliases import Engine as Kind

SGLANG: dict[str, Any] = {
    "model_path": "meta-llama/Llama-3.1-8B",
    "revision": None,
    "tp_size": 2,
    "dp_size": 1,
    "pp_size": 1,
    "ep_size": 1,
    "dtype": "auto",
    "quantization": "fp8",
    "kv_cache_dtype": "fp8_e5m2",
    "max_running_requests": 256,
    "random_seed": 123456,
    "nccl_port": 31000,
    "dist_init_addr": None,
    "cuda_graph_bs": [1, 2, 4],
    "max_total_num_tokens": 131072,
    "internal_states": [{"token_usage": 0.5}],
    "version": "0.5.6",
}
VLLM: dict[str, Any] = {
    "vllm_config": {
        "model_config": {"model": "m", "dtype": "torch.bfloat16", "quantization": None, "revision": "abc", "seed": 7},
        "cache_config": {"block_size": 16, "cache_dtype": "auto", "num_gpu_blocks": 8192, "_own": 1},
        "parallel_config": {
            "tensor_parallel_size": 4,
            "pipeline_parallel_size": 1,
            "data_parallel_size": 2,
            "enable_expert_parallel": True,
            "data_parallel_master_port": 29500,
            "rank": 0,
        },
        "scheduler_config": {"max_num_seqs": 256, "policy": "fcfs", "cudagraph_sizes": [1, 2]},
        "speculative_config": None,
    },
    "vllm_env": {"VLLM_SERVER_DEV_MODE": True},
}


def test_sglang_tells_all_its_flags() -> None:
    told = of_server_info(json.dumps(SGLANG).encode(), Kind.SGLANG)

    assert (2, 1, 1, 1, "fp8", "fp8_e5m2", "0.5.6", None, False) == (
        *(told.tensor_parallel, told.pp, told.dp, told.ep, told.weight_dtype, told.kv_dtype, told.engine_version),
        *(told.model_revision, told.partial),
    )
    assert told.flags is not None
    assert 256 == told.flags["max_running_requests"]
    assert not {"random_seed", "dist_init_addr", "cuda_graph_bs", "max_total_num_tokens", "version"} & set(told.flags)


def test_vllm_tells_its_configuration_in_the_mode_for_developers() -> None:
    told = of_server_info(json.dumps(VLLM).encode(), Kind.VLLM)

    assert (4, 1, 2, 8, "torch.bfloat16", "auto", "abc", False) == (
        *(told.tensor_parallel, told.pp, told.dp, told.ep, told.weight_dtype, told.kv_dtype),
        *(told.model_revision, told.partial),
    )
    assert told.flags is not None
    assert {"cache_config.block_size": 16, "scheduler_config.max_num_seqs": 256, "scheduler_config.policy": "fcfs"} == {
        name: value for name, value in told.flags.items() if name.startswith(("cache", "scheduler")) and value != "auto"
    }
    assert not {name for name in told.flags if "rank" in name or "master" in name or "seed" in name}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", Kind.VLLM),
        (b"[1]", Kind.VLLM),
        (b"[" * 100_000, Kind.VLLM),
        (json.dumps({"vllm_config": "VllmConfig(...)"}).encode(), Kind.VLLM),
        (json.dumps(SGLANG).encode(), Kind.VLLM),
        (json.dumps(VLLM).encode(), Kind.SGLANG),
        (b'{"internal_states": []}', Kind.TGI),
    ],
)
def test_what_is_none_of_the_engine_says_nothing(body: bytes, kind: Kind) -> None:
    assert Engine() == of_server_info(body, kind)


def test_a_size_that_is_no_number_is_not_known() -> None:
    told = of_server_info(b'{"internal_states": [], "tp_size": "2", "dp_size": true}', Kind.SGLANG)

    assert (None, None) == (told.tensor_parallel, told.dp)


def test_a_text_that_cannot_be_written_is_not_known() -> None:
    told = of_server_info(b'{"internal_states": [], "revision": "\\ud800", "a\\udfff": 1, "b": "\\ud800"}', Kind.SGLANG)

    assert (None, {}) == (told.model_revision, told.flags)
    assert msgspec.json.encode(told)


MODELS = b'{"data": [{"id": "m", "max_model_len": 4096}]}'


def test_the_page_of_vllm_tells_some_of_its_flags() -> None:
    labels = (("block_size", "128"), ("cache_dtype", "fp8"), ("engine", "0"), ("num_gpu_blocks", "8192"))
    told = of_page([labels, (("block_size", "1"),)], MODELS)

    assert (
        Engine(kv_dtype="fp8", flags={"block_size": "128", "cache_dtype": "fp8", "max_model_len": 4096}, partial=True)
        == told
    )


@pytest.mark.parametrize("models", [b"", b'{"data": []}', b'{"data": ["m"]}', b'{"data": [{"id": "m"}]}'])
def test_a_page_that_says_nothing_leaves_everything_unknown(models: bytes) -> None:
    assert Engine() == of_page([], models)


def test_more_flags_than_allowed_and_a_longer_value_are_cut() -> None:
    told: dict[str, Any] = {f"f{n:05}": "x" * (VALUE_CHARACTERS_MAX + 1) for n in range(FLAGS_MAX + 1)}
    told["internal_states"] = []
    flags = of_server_info(json.dumps(told).encode(), Kind.SGLANG).flags or {}

    assert (FLAGS_MAX, {"x" * VALUE_CHARACTERS_MAX}) == (len(flags), set(flags.values()))


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        pytest.param(Engine(), Engine(gpus=1), Engine(gpus=1), id="nothing said"),
        pytest.param(Engine(gpus=2), Engine(gpus=1, dp=1), Engine(gpus=2, dp=1), id="the first wins"),
        pytest.param(
            Engine(flags={}), Engine(flags={"a": 1}, partial=True), Engine(flags={}), id="flags are taken whole"
        ),
        pytest.param(
            Engine(gpus=2),
            Engine(flags={"a": 1}, partial=True),
            Engine(gpus=2, flags={"a": 1}, partial=True),
            id="flags of the second stay partial",
        ),
    ],
)
def test_who_says_what_first(first: Engine, then: Engine, expected: Engine) -> None:
    assert expected == merged(first, then)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Engine(engine_version="1"), Engine(engine_version="2"), ("engine_version",)),
        (Engine(engine_version="1"), Engine(), None),
        (Engine(engine="vllm", flags={}), Engine(engine="vllm", flags={}), None),  # that is how it was asked
        (Engine(engine="vllm", gpus=1, partial=True), Engine(engine="sglang", gpus=1), ("engine",)),
        (Engine(engine="vllm"), Engine(engine="sglang"), ("engine",)),
        (Engine(flags={"a": 1, "b": None}), Engine(flags={"a": 2, "b": 1}), ("a", "b")),
        (Engine(flags={"a": 1, "b": 1}), Engine(flags={"b": 1, "c": 1}), ()),  # one of its sources was silent
        (Engine(flags={"a": 1}), Engine(), None),
    ],
)
def test_what_an_engine_says_otherwise_at_the_end(
    before: Engine, after: Engine, expected: tuple[str, ...] | None
) -> None:
    assert expected == differing(before, after)


def test_what_is_no_object_is_empty() -> None:
    assert {} == decoded(b"null")
