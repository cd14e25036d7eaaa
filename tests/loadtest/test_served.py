"""What a file says of a setup, and what is said where it leaves too much out."""

import msgspec
import pytest

from loadtest.roofline import H100, H200, LLAMA_8B, LLAMA_70B, Device, Model, Setup
from loadtest.served import DEVICES, MODELS, Facts, setup, value_bytes

SIZE = {"params": 1e9, "layers": 2, "kv_heads": 1, "head_dim": 64, "width": 128}
GPU = {"memory_bytes": 24e9, "bandwidth_bytes_per_s": 3e11, "flops_bf16": 1e14, "flops_fp8": 2e14}


def known(facts: Facts, **told: object) -> Setup | str:
    usual: dict[str, object] = {
        "gpu_model": "NVIDIA H200", "gpus": 2, "weight_dtype": "fp8", "kv_dtype": "auto", "max_num_seqs": 256
    }  # fmt: skip
    return setup(facts, **(usual | told))  # type: ignore[arg-type]  # by name


def test_names_and_the_key_are_enough() -> None:
    found = known(Facts(model="Llama-70B", memory_ratio=0.94, kv_tokens=9_000))

    assert isinstance(found, Setup)
    assert (LLAMA_70B, H200, 2, 1.0, 2.0) == (
        *(found.model, found.device, found.gpus, found.weight_bytes, found.kv_bytes),
    )
    assert (0.94, 9_000, 256, 0.7, 0.5) == (
        *(found.memory_ratio, found.kv_tokens, found.max_num_seqs, found.mbu, found.mfu),
    )


def test_sizes_outrank_names() -> None:
    facts = msgspec.convert({"model": SIZE, "device": GPU, "max_num_seqs": 8}, Facts)
    found = known(facts, gpus=None)

    assert isinstance(found, Setup)
    assert (Model(**SIZE), Device(**GPU), 1, 8) == (found.model, found.device, found.gpus, found.max_num_seqs)  # type: ignore[arg-type]  # by name
    assert H100 == getattr(known(Facts(model="llama-8b", device="H100")), "device", None)


@pytest.mark.parametrize(
    ("facts", "told", "words"),
    [
        (Facts(model="gpt-9"), {}, "model gpt-9: allowed: llama-8b, llama-70b"),
        (Facts(model="llama-8b"), {"gpu_model": None}, "device None: allowed: h100, h200"),
        (Facts(model="llama-8b", device="b1"), {}, "device b1"),
        (Facts(model="llama-8b"), {"weight_dtype": None}, "weight_dtype None"),
        (Facts(model="llama-8b"), {"kv_dtype": "odd"}, "kv_dtype odd"),
    ],
)
def test_what_is_not_known_is_named(facts: Facts, told: dict[str, object], words: str) -> None:
    found = known(facts, **told)

    assert isinstance(found, str)
    assert words in found


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("torch.bfloat16", 2), ("auto", 2), ("fp8_e4m3", 1), ("compressed-tensors-w8a8", 1), ("int4", 0.5),
        ("AWQ", 0.5), ("nvfp4", 0.5), ("float32", 4), ("", None), (None, None),
    ],
)  # fmt: skip
def test_bytes_of_a_value(name: str | None, size: float | None) -> None:
    assert size == value_bytes(name)


def test_the_names_are_those_of_the_table() -> None:
    assert [LLAMA_8B, LLAMA_70B] == list(MODELS.values())
    assert [H100, H200] == list(DEVICES.values())
