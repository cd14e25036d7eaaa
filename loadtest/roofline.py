"""Knows what throughput a model on a device can reach at most, and which wall it meets; refuses to know what it did.

    kv        = 2 L n_kv d_h b_kv bytes a token (MLA: L (d_c + d_rope) b_kv)
    B_kv      = floor((HBM TP util - W - act) / (ctx kv));  B = min(B_kv, max_num_seqs, concurrency)
    t_mem     = (W_touched + B ctx kv) / (TP BW MBU);  t_cmp = 2 P_act B / (TP FLOPS MFU)
    t_step    = max(t_mem, t_cmp) + overhead;  decode tokens/s = B a / t_step
    t_prefill = (2 P_act I + 2 L d I^2) / (TP FLOPS MFU)
    combined  = 1 / (t_step / (B a) + t_prefill / O)

MBU 0.7 and MFU 0.5 are a start; `fitted` takes them from two runs with one request at a time.

Error: with the start values, fp8 KV and B = B_kv, prompts of 1000 tokens and more come within 0.85 to 1.36 of the
published throughput; short prompts with long answers within 1.18 to 1.8, since engines run smaller batches. So fit
before judging, and say `max_num_seqs`.

Source: spec/loadtest.md 15.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

SCHEDULER_RATIO = 1.3
"""Measured over modelled step from which the scheduler is the wall, at no more than `SCHEDULER_BATCH` requests."""
SCHEDULER_BATCH = 8
"""Requests at a time at which a step is still the model's own."""


class Wall(StrEnum):
    """What limits the throughput."""

    CLIENT = "client"
    SCHEDULER = "scheduler"
    KV_CAPACITY = "kv_capacity"
    MAX_NUM_SEQS = "max_num_seqs"
    PREFILL = "prefill"
    COMPUTE = "compute"
    BANDWIDTH = "bandwidth"


REMEDIES = {
    Wall.CLIENT: "the load generator was the limit: more workers, or another host; the number says nothing",
    Wall.SCHEDULER: "host overhead between steps: CUDA graphs, fewer host processes, a faster host CPU",
    Wall.KV_CAPACITY: "the KV cache is full before the batch: more TP, fp8 KV, shorter context, higher utilisation",
    Wall.MAX_NUM_SEQS: "the engine's own limit of the batch: raise max_num_seqs",
    Wall.PREFILL: "prompts take more time than answers: prefix caching, shorter prompts, separate prefill",
    Wall.COMPUTE: "arithmetic: fp8 weights, more GPUs",
    Wall.BANDWIDTH: "memory bandwidth: fp8 weights and KV, a larger batch, a faster memory",
}
"""What helps against each wall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experts:
    """The experts of a mixture.

    Attributes:
        total: Experts of a layer.
        active: Of them, used by one token.
        params: Parameters of all experts, part of the model's.
    """

    total: int
    active: int
    params: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model's size.

    Attributes:
        params: Parameters.
        layers: Layers.
        kv_heads: KV heads; ignored with `latent`.
        head_dim: Size of a head; ignored with `latent`.
        width: Model width.
        params_active: Parameters that one token uses; None for all.
        latent: Size of the compressed KV of a layer and token (MLA: d_c + d_rope); None without.
        experts: None of a dense model.
    """

    params: float
    layers: int
    kv_heads: int
    head_dim: int
    width: int
    params_active: float | None = None
    latent: int | None = None
    experts: Experts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A GPU.

    Attributes:
        memory_bytes: Of it, total; NVML's value where it is known.
        bandwidth_bytes_per_s: Of its memory.
        flops_bf16: Dense.
        flops_fp8: Dense.
    """

    memory_bytes: float
    bandwidth_bytes_per_s: float
    flops_bf16: float
    flops_fp8: float


H100 = Device(memory_bytes=80e9, bandwidth_bytes_per_s=3.35e12, flops_bf16=989e12, flops_fp8=1979e12)
"""H100 SXM."""
H200 = Device(memory_bytes=141e9, bandwidth_bytes_per_s=4.8e12, flops_bf16=989e12, flops_fp8=1979e12)
"""H200 SXM."""
LLAMA_8B = Model(params=8.03e9, layers=32, kv_heads=8, head_dim=128, width=4096)
"""Llama 3.1 8B."""
LLAMA_70B = Model(params=70.6e9, layers=80, kv_heads=8, head_dim=128, width=8192)
"""Llama 3.x 70B."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A model as it is served.

    Attributes:
        model: Its size.
        device: Each GPU.
        gpus: Tensor parallel size.
        weight_bytes: Of a parameter: 2 for bf16, 1 for fp8, which also decides the arithmetic.
        kv_bytes: Of a value in the KV cache.
        memory_ratio: Share of the memory that the engine may use.
        act_bytes: Taken by activations.
        kv_tokens: Tokens that the engine says it can hold; None leaves that to arithmetic.
        max_num_seqs: The engine's limit of the batch; None without one.
        accepted: Tokens of a request in one step, above 1 with speculation.
        mbu: Share of the bandwidth that is reached.
        mfu: Share of the arithmetic that is reached.
        overhead_s: Of each step.
    """

    model: Model
    device: Device
    gpus: int = 1
    weight_bytes: float = 2.0
    kv_bytes: float = 2.0
    memory_ratio: float = 0.9
    act_bytes: float = 0.0
    kv_tokens: int | None = None
    max_num_seqs: int | None = None
    accepted: float = 1.0
    mbu: float = 0.7
    mfu: float = 0.5
    overhead_s: float = 0.0

    @property
    def bandwidth(self) -> float:
        """Bytes a second of all GPUs, as specified."""
        return self.gpus * self.device.bandwidth_bytes_per_s

    @property
    def flops(self) -> float:
        """Dense operations a second of all GPUs, as specified."""
        return self.gpus * (self.device.flops_fp8 if self.weight_bytes <= 1 else self.device.flops_bf16)

    @property
    def balance_batch(self) -> float:
        """Batch at which arithmetic and bandwidth take equally long, context aside."""
        return self.flops * self.weight_bytes / (2 * self.bandwidth)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What is asked.

    Attributes:
        tokens_in: Mean tokens of a prompt.
        tokens_out: Mean tokens of an answer.
        context: Mean tokens held while decoding; None for tokens_in + tokens_out / 2.
        uncached_ratio: Share of the prompt that no cache holds.
        concurrency: Requests at a time; None without a limit.
    """

    tokens_in: float
    tokens_out: float
    context: float | None = None
    uncached_ratio: float = 1.0
    concurrency: int | None = None

    @property
    def held(self) -> float:
        """Tokens held by one request."""
        return self.tokens_in + self.tokens_out / 2 if self.context is None else self.context


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What can be reached at most.

    Attributes:
        kv_batch: Requests that the KV cache holds.
        batch: Requests of a step; 0 if not even one fits.
        step_s: Time of a step; None if none fits.
        prefill_s: Time of a prompt.
        decode_tokens_per_s: While nothing is prefilled.
        tokens_out_per_s: Prompts included.
        wall: What limits it.
    """

    kv_batch: int
    batch: int
    step_s: float | None
    prefill_s: float
    decode_tokens_per_s: float
    tokens_out_per_s: float
    wall: Wall

    @property
    def tpot_s(self) -> float | None:
        """Time per output token, one token a step; None if none fits."""
        return self.step_s


def kv_token_bytes(setup: Setup) -> float:
    """Return the bytes that one token takes in the KV cache."""
    model = setup.model
    values = model.latent if model.latent is not None else 2 * model.kv_heads * model.head_dim
    return model.layers * values * setup.kv_bytes


def expected(setup: Setup, mix: Mix) -> Expected:
    """Return what can be reached at most, and the wall."""
    kv_batch = _kv_batch(setup, mix)
    batch = min(kv_batch, setup.max_num_seqs or kv_batch, mix.concurrency or kv_batch)
    prefill_s = _prefill_operations(setup, mix.tokens_in * mix.uncached_ratio) / (setup.flops * setup.mfu)
    if batch < 1:
        return Expected(
            kv_batch=kv_batch,
            batch=0,
            step_s=None,
            prefill_s=prefill_s,
            decode_tokens_per_s=0.0,
            tokens_out_per_s=0.0,
            wall=Wall.KV_CAPACITY,
        )
    memory_s, compute_s = _memory_s(setup, mix, batch), _compute_s(setup, batch)
    step_s = max(memory_s, compute_s) + setup.overhead_s
    per_token_s, prefill_share_s = step_s / (batch * setup.accepted), prefill_s / mix.tokens_out
    return Expected(
        kv_batch=kv_batch,
        batch=batch,
        step_s=step_s,
        prefill_s=prefill_s,
        decode_tokens_per_s=1 / per_token_s,
        tokens_out_per_s=1 / (per_token_s + prefill_share_s),
        wall=_batch_wall(setup, mix, kv_batch)
        or (Wall.PREFILL if prefill_share_s > per_token_s else None)
        or (Wall.COMPUTE if compute_s > memory_s else Wall.BANDWIDTH),
    )


def measured_wall(found: Expected, *, step_s: float | None, batch: float, is_fit: bool) -> Wall:
    """Return the wall that a run met.

    Args:
        found: What was expected.
        step_s: Measured time per output token; None if unknown.
        batch: Requests at a time during that measurement.
        is_fit: Whether the client was proven not to be the limit.
    """
    if not is_fit:
        return Wall.CLIENT
    slow = step_s is not None and found.step_s is not None and step_s > SCHEDULER_RATIO * found.step_s
    return Wall.SCHEDULER if slow and batch <= SCHEDULER_BATCH else found.wall


def fitted_mbu(setup: Setup, context: float, tpot_s: float) -> float:
    """Return the share of the bandwidth that one request at a time reaches.

    Args:
        setup: As served.
        context: Mean tokens that the request held.
        tpot_s: Its time per output token, above 0.
    """
    return (_touched_bytes(setup, 1) + context * kv_token_bytes(setup)) / (setup.bandwidth * tpot_s)


def fitted_mfu(setup: Setup, short: tuple[float, float], long: tuple[float, float]) -> float | None:
    """Return the share of the arithmetic that two prompt lengths show; None if the longer one was not slower.

    Args:
        setup: As served.
        short: Tokens of a prompt that no cache held, and its time to the first token in seconds.
        long: The same of a longer one.
    """
    apart_s = long[1] - short[1]
    operations = _prefill_operations(setup, long[0]) - _prefill_operations(setup, short[0])
    return operations / (setup.flops * apart_s) if apart_s > 0 and operations > 0 else None


def _kv_batch(setup: Setup, mix: Mix) -> int:
    if setup.kv_tokens is not None:
        return math.floor(setup.kv_tokens / mix.held)
    free = setup.device.memory_bytes * setup.gpus * setup.memory_ratio
    free -= setup.model.params * setup.weight_bytes + setup.act_bytes
    return max(0, math.floor(free / (mix.held * kv_token_bytes(setup))))


def _batch_wall(setup: Setup, mix: Mix, kv_batch: int) -> Wall | None:
    demand = min(setup.max_num_seqs or math.inf, mix.concurrency or math.inf)
    if kv_batch < demand:
        return Wall.KV_CAPACITY if demand < math.inf else None
    limit = setup.max_num_seqs
    return Wall.MAX_NUM_SEQS if limit is not None and limit < (mix.concurrency or math.inf) else None


def _memory_s(setup: Setup, mix: Mix, batch: int) -> float:
    held = batch * mix.held * kv_token_bytes(setup)
    return (_touched_bytes(setup, batch) + held) / (setup.bandwidth * setup.mbu)


def _compute_s(setup: Setup, batch: int) -> float:
    return 2 * _active(setup.model) * batch / (setup.flops * setup.mfu)


def _touched_bytes(setup: Setup, batch: int) -> float:
    """Return the bytes of the weights that a step reads: of the experts only those that some token uses."""
    model, experts = setup.model, setup.model.experts
    if experts is None:
        return model.params * setup.weight_bytes
    used = 1 - (1 - experts.active / experts.total) ** batch
    return (model.params - experts.params + experts.params * used) * setup.weight_bytes


def _prefill_operations(setup: Setup, tokens: float) -> float:
    model = setup.model
    return 2 * _active(model) * tokens + 2 * model.layers * model.width * tokens * tokens


def _active(model: Model) -> float:
    return model.params if model.params_active is None else model.params_active
