"""Knows how a file says what a roofline needs of a model, its GPUs and its engine; refuses to guess what it leaves out.

    model    a name of `MODELS`, or its size
    device   a name of `DEVICES`, or what one can do; without it, the GPU model of the key says which

Source: spec/loadtest.md 15 (inputs; the engine's own KV tokens are better than arithmetic).
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from loadtest.roofline import H100, H200, LLAMA_8B, LLAMA_70B, Device, Model, Setup

MODELS: Mapping[str, Model] = MappingProxyType({"llama-8b": LLAMA_8B, "llama-70b": LLAMA_70B})
DEVICES: Mapping[str, Device] = MappingProxyType({"h100": H100, "h200": H200})
_BYTES = (
    (4.0, ("float32", "fp32")),
    (2.0, ("bf16", "bfloat16", "fp16", "float16", "half", "auto")),
    (0.5, ("int4", "fp4", "awq", "gptq", "w4")),
    (1.0, ("fp8", "int8", "float8", "w8")),
)
"""Bytes of a value by words of its type; the first that is met holds."""


class Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file says; described at `loadtest.roofline.Setup`, whose values hold where nothing is said."""

    model: str | Model
    device: str | Device | None = None
    memory_ratio: float = 0.9
    act_bytes: float = 0.0
    kv_tokens: int | None = None
    max_num_seqs: int | None = None
    accepted: float = 1.0
    mbu: float = 0.7
    mfu: float = 0.5
    overhead_s: float = 0.0


def setup(
    facts: Facts,
    *,
    gpu_model: str | None,
    gpus: int | None,
    weight_dtype: str | None,
    kv_dtype: str | None,
    max_num_seqs: int | None,
) -> Setup | str:
    """Return a model as it is served, or in words what is not known of it.

    Args:
        facts: What the file says.
        gpu_model: Of the key.
        gpus: Tensor parallel size; None for one.
        weight_dtype: Of the key.
        kv_dtype: Of the key.
        max_num_seqs: As the engine's flags say; the facts outrank it.
    """
    model = MODELS.get(facts.model.lower()) if isinstance(facts.model, str) else facts.model
    device = facts.device if isinstance(facts.device, Device) else _device(facts.device or gpu_model or "")
    weight_bytes, kv_bytes = value_bytes(weight_dtype), value_bytes(kv_dtype)
    if model is None:
        return f"model {facts.model}: allowed: {', '.join(MODELS)}, or its size"
    if device is None:
        return f"device {facts.device or gpu_model}: allowed: {', '.join(DEVICES)}, or what it can do"
    if weight_bytes is None or kv_bytes is None:
        return f"weight_dtype {weight_dtype}, kv_dtype {kv_dtype}: bytes of a value are not known"
    return Setup(
        model=model,
        device=device,
        gpus=gpus or 1,
        weight_bytes=weight_bytes,
        kv_bytes=kv_bytes,
        memory_ratio=facts.memory_ratio,
        act_bytes=facts.act_bytes,
        kv_tokens=facts.kv_tokens,
        max_num_seqs=facts.max_num_seqs or max_num_seqs,
        accepted=facts.accepted,
        mbu=facts.mbu,
        mfu=facts.mfu,
        overhead_s=facts.overhead_s,
    )


def value_bytes(dtype: str | None) -> float | None:
    """Return the bytes of a value of a type, by its name; None if that is not known."""
    name = (dtype or "").lower()
    return next((size for size, words in _BYTES if any(word in name for word in words)), None)


def _device(name: str) -> Device | None:
    return next((device for word, device in DEVICES.items() if word in name.lower()), None)
