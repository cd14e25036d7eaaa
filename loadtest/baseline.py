"""Knows which runs may be compared, and when some of them make a baseline; refuses to know where they are kept.

All of a key must match for a verdict; else a comparison is one across configurations, and never a pass or fail.

    flags     engine flags without those that say where, who and what is told: host, port, paths, keys, logs, metrics
    mix       five points of the lengths of each class, in steps of 5 %, prefix plan, conversations, weights
    baseline  three or more fit runs of one key, whose tokens a second and median TTFT vary by at most 5 %
    age       above 30 days a warning, above 90 no verdict

Source: spec/loadtest.md 12.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from loadtest.dispersion import variation
from loadtest.lengths import length_of
from loadtest.plan import Plan
from loadtest.plan_spec import Pairs, WorkloadClass

RUNS_LEAST = 3
"""Runs of a baseline."""
VARIATION_RATIO = 0.05
"""Greatest coefficient of variation between its runs."""
OLD_DAYS, TOO_OLD_DAYS = 30, 90
"""From when a baseline warns, and from when it gives no verdict."""
LIVE_RATIO = 0.25
"""How far mean lengths of live traffic may be from the tested ones."""
PARTIAL = "partial"
"""Stands for the flags' hash where some flags are not known."""

_STEP = math.log(1.05)
_POINTS = (0.05, 0.25, 0.5, 0.75, 0.95)
_NAMED = frozenset({"model", "served-model-name"})  # the key has the model
_WITHOUT = frozenset(
    {
        *("host", "port", "uds", "ssl", "key", "token"),
        *("log", "logs", "logging", "stats", "metric", "metrics", "otlp", "trace", "traces"),
        *("path", "dir", "file", "root"),
    }
)
"""Words of flags that do not count."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What must be equal for two runs to be compared; None is not known, and only equal to itself.

    Attributes:
        mix_id: Of `mix_id`.
        flags_hash: Of `flags_hash`, or `PARTIAL`.
        process: Law of the gaps, or `trace`.
        loop: `open` or `closed`.
        slo_id: Of the objectives that attainment was judged by.
        sampling_id: Of the sampling parameters.
    """

    model: str
    model_revision: str | None
    gpu_model: str | None
    gpus: int | None
    tensor_parallel: int | None
    pp: int | None
    dp: int | None
    ep: int | None
    weight_dtype: str | None
    kv_dtype: str | None
    engine: str | None
    engine_version: str | None
    flags_hash: str
    power_limit_watts: int | None
    mix_id: str
    process: str
    loop: str
    slo_id: str
    sampling_id: str
    defs_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A part of a key that differs."""

    name: str
    baseline: object
    candidate: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A run that is to be part of a baseline.

    Attributes:
        key: Its key.
        is_fit: Whether its client was proven fit.
        tokens_per_s: Output tokens a second; None if they are not known.
        ttft_p50_s: Median TTFT; None if it has none.
    """

    key: Key
    is_fit: bool
    tokens_per_s: float | None
    ttft_p50_s: float | None


def config_hash(key: Key) -> str:
    """Return the hash of a whole key."""
    return _digest(key)


def differences(baseline: Key, candidate: Key) -> list[Difference]:
    """Return what keeps two runs from a verdict; none if nothing does."""
    pairs = ((name, getattr(baseline, name), getattr(candidate, name)) for name in Key.__struct_fields__)
    return [Difference(name=name, baseline=one, candidate=other) for name, one, other in pairs if one != other]


def flags_hash(flags: Mapping[str, str | None]) -> str:
    """Return the hash of engine flags.

    Args:
        flags: Value by name, without leading dashes; None if a flag has no value.
    """
    return _digest({name: flags[name] for name in counted_flags(flags)})


def counted_flags(flags: Iterable[str]) -> list[str]:
    """Return the flags that a run's speed may depend on, in order."""
    return sorted(flag for flag in flags if not _is_apart(flag))


def mix_id(plan: Plan) -> str:
    """Return the name of what a plan asks for, whatever its seed is; a trace is named by the lengths that it has."""
    total = sum(one.weight for one in plan.spec.classes)
    classes: list[object] = [
        [one.name, round(one.weight / total, 2), _laws(one), one.prefix, one.conversations] for one in plan.spec.classes
    ]
    if plan.spec.trace:
        arrivals = list(plan.mine(0, 1))
        classes.append([_steps([one.len_in for one in arrivals]), _steps([one.len_out for one in arrivals])])
    return _digest(classes)[:16]


def is_tested_mix(tested: tuple[float, float], live: tuple[float, float]) -> bool:
    """Return whether live traffic is like the tested one: mean tokens in and out, each within a quarter."""
    return all(abs(now - then) <= LIVE_RATIO * then for then, now in zip(tested, live, strict=True))


def objections(runs: Sequence[Candidate]) -> list[str]:
    """Return why runs make no baseline, in words; none if they do."""
    found: list[str] = []
    if len(runs) < RUNS_LEAST:
        found.append(f"{len(runs)} runs, allowed: {RUNS_LEAST} or more")
    if any(not run.is_fit for run in runs):
        found.append("a run is not proven fit")
    if any(run.key != runs[0].key for run in runs):
        found.append("keys differ: " + ", ".join(sorted({one.name for run in runs for one in _against(runs[0], run)})))
    first_tokens = [run.ttft_p50_s for run in runs if run.ttft_p50_s is not None]
    if len(first_tokens) < len(runs):
        found.append("a run has no median TTFT")
    tokens = [run.tokens_per_s for run in runs if run.tokens_per_s is not None]
    if len(tokens) < len(runs):
        found.append("a run has no tokens/s")
    for name, values in (("tokens/s", tokens), ("median TTFT", first_tokens)):
        spread = variation(values)
        if spread is not None and spread > VARIATION_RATIO:
            found.append(f"unstable environment: {name} varies by {spread:.1%}, allowed {VARIATION_RATIO:.0%}")
    return found


def _against(one: Candidate, other: Candidate) -> list[Difference]:
    return differences(one.key, other.key)


def _is_apart(flag: str) -> bool:
    name = flag.lower().replace("_", "-")
    return name in _NAMED or not _WITHOUT.isdisjoint(name.split("-"))


def _laws(one: WorkloadClass) -> list[list[int]]:
    """Return five points of the laws of tokens in and out, in steps of 5 %."""
    if isinstance(one.lengths, Pairs):
        return [_steps([pair[at] for pair in one.lengths.pairs]) for at in (0, 1)]
    laws = length_of(one.lengths.tokens_in), length_of(one.lengths.tokens_out)
    return [[_step(law(u)) for u in _POINTS] for law in laws]


def _steps(values: list[int]) -> list[int]:
    ordered = sorted(values)
    return [_step(ordered[int(len(ordered) * u)]) for u in _POINTS]


def _step(tokens: int) -> int:
    return round(math.log(tokens) / _STEP)


def _digest(value: Any) -> str:  # noqa: ANN401 -- whatever JSON can say
    return sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()
