"""Which runs may be compared, and when some of them make a baseline (spec/loadtest.md 12)."""

import msgspec
import pytest

from loadtest.baseline import (
    LIVE_RATIO,
    OLD_DAYS,
    PARTIAL,
    RUNS_LEAST,
    TOO_OLD_DAYS,
    Candidate,
    Difference,
    Key,
    config_hash,
    counted_flags,
    differences,
    flags_hash,
    is_tested_mix,
    mix_id,
    objections,
)
from loadtest.plan_spec import (
    Fixed,
    Lognormal,
    Pairs,
    PlanSpec,
    RateCurve,
    Separate,
    SharedPrefix,
    TraceFormat,
    TraceSpec,
    WorkloadClass,
)
from loadtest.planner import build
from loadtest.trace_formats import Trace, TraceRow

KEY = Key(
    model="llama-8b",
    model_revision="abc",
    gpu_model="H100",
    gpus=1,
    tensor_parallel=1,
    pp=1,
    dp=1,
    ep=None,
    weight_dtype="fp8",
    kv_dtype="fp8",
    engine="vllm",
    engine_version="0.32",
    flags_hash=PARTIAL,
    power_limit_watts=700,
    mix_id="m",
    process="poisson",
    loop="open",
    slo_id="s",
    sampling_id="t0",
    defs_version=1,
)


@pytest.mark.parametrize("name", Key.__struct_fields__)
def test_any_part_of_a_key_makes_another_one(name: str) -> None:
    other = msgspec.structs.replace(KEY, **{name: "another"})

    assert [Difference(name=name, baseline=getattr(KEY, name), candidate="another")] == differences(KEY, other)
    assert config_hash(KEY) != config_hash(other)


def test_equal_keys() -> None:
    assert [] == differences(KEY, msgspec.structs.replace(KEY))
    assert config_hash(KEY) == config_hash(msgspec.json.decode(msgspec.json.encode(KEY), type=Key))


def test_flags_that_say_where_and_who_do_not_count() -> None:
    told = ["host", "port", "api-key", "ssl-keyfile", "uvicorn-log-level", "disable-log-requests", "download_dir"]
    told += ["otlp-traces-endpoint", "enable-metrics", "hf-token", "chat-template-path", "disable-log-stats", "model"]
    fast = ["max-num-seqs", "max-logprobs", "gpu-memory-utilization", "enable-prefix-caching", "max-num-batched-tokens"]

    assert sorted(fast) == counted_flags(told + fast)


def test_the_hash_of_flags() -> None:
    flags = {"max-num-seqs": "256", "enforce-eager": None}

    assert flags_hash(flags) == flags_hash({"enforce-eager": None, "port": "8000", "max-num-seqs": "256"})
    assert flags_hash(flags) != flags_hash({"max-num-seqs": "128", "enforce-eager": None})
    assert flags_hash(flags) != flags_hash({"max-num-seqs": "256"})


def mix(*, seed: int = 1, median: int = 800, weight: float = 1.0, prefix: SharedPrefix | None = None) -> str:
    lengths = Separate(tokens_in=Lognormal(median=median, sigma=0.5), tokens_out=Fixed(tokens=128))
    pairs = Pairs(pairs=((1000, 10), (10, 1000)))
    kinds = (WorkloadClass(lengths=lengths, prefix=prefix), WorkloadClass(name="b", weight=weight, lengths=pairs))
    return mix_id(build(PlanSpec(seed=seed, rate=RateCurve(points=((0, 10),)), count=5, classes=kinds)))


def test_a_mix_is_named_by_what_it_asks_for() -> None:
    names = [mix(), mix(median=1000), mix(weight=2.0), mix(prefix=SharedPrefix(groups=3, tokens=50))]

    assert 4 == len(set(names))
    assert {mix()} == {mix(seed=seed) for seed in range(5)} | {mix(weight=1.001)} | {mix(median=801)}
    assert 16 == len(mix())


def test_a_trace_is_named_by_its_lengths() -> None:
    def traced(tokens: int) -> str:
        spec = PlanSpec(seed=1, trace=TraceSpec(format=TraceFormat.STORE, sha256="0" * 64))
        rows = tuple(TraceRow(t_ns=k, len_in=tokens, len_out=10) for k in range(9))
        return mix_id(build(spec, Trace(rows=rows)))

    assert traced(1000) == traced(1001)
    assert traced(1000) != traced(1100)


@pytest.mark.parametrize(
    ("live", "expected"),
    [((1000, 100), True), ((1250, 75), True), ((1251, 100), False), ((1000, 74), False), ((0, 0), False)],
)
def test_live_traffic_like_the_tested_one(live: tuple[float, float], expected: bool) -> None:
    assert expected is is_tested_mix((1000, 100), live)
    assert 0.25 == LIVE_RATIO


def run(tokens: float | None = 1000.0, ttft: float | None = 0.3, *, is_fit: bool = True, key: Key = KEY) -> Candidate:
    return Candidate(key=key, is_fit=is_fit, tokens_per_s=tokens, ttft_p50_s=ttft)


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        pytest.param([run(), run(1020), run(980)], [], id="three alike"),
        pytest.param([run()] * (RUNS_LEAST - 1), ["2 runs"], id="two"),
        pytest.param([], ["0 runs"], id="none"),
        pytest.param([run(), run(), run(is_fit=False)], ["not proven fit"], id="one is not fit"),
        pytest.param(
            [run(), run(), run(key=msgspec.structs.replace(KEY, gpus=2, kv_dtype="bf16"))],
            ["keys differ: gpus, kv_dtype"],
            id="another machine",
        ),
        pytest.param([run(900), run(1000), run(1100)], ["tokens/s varies by 10.0%"], id="speed varies"),
        pytest.param([run(ttft=0.2), run(ttft=0.3), run(ttft=0.4)], ["median TTFT varies by 33.3%"], id="TTFT varies"),
        pytest.param([run(), run(), run(ttft=None)], ["no median TTFT"], id="a run that fails"),
        pytest.param([run(None), run(), run()], ["no tokens/s"], id="a target that does not count tokens"),
    ],
)
def test_when_runs_make_a_baseline(runs: list[Candidate], words: list[str]) -> None:
    found = objections(runs)

    assert len(words) == len(found)
    assert all(word in line for word, line in zip(words, found, strict=True))
    assert (30, 90) == (OLD_DAYS, TOO_OLD_DAYS)
