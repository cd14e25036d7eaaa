"""Knows what of a scaling profile the capacity of a target rests on; refuses to make a profile.

The profile is the one whose target has the endpoint's name. The configuration is another one if the GPUs of a replica
are; what else may differ (engine flags, model) is not told by a profile.

Source: spec/loadtest.md 19 (`inferometer.scaling_profile/v1`); spec/scaling.md 5 (baseline).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from slo.cost import RHO_MAX
from slo.hints_target import Hinted
from slo.scaling.capacity import Engine, Mix
from slo.scaling.lead import Lead
from slo.scaling.settings import LoadTest

_DAY_MS = 86_400_000
_US = 1e6
Row = Mapping[str, Any]


class _MixTold(msgspec.Struct, frozen=True, kw_only=True):
    in_mean: float | None = None
    out_mean: float | None = None
    prefix_hit_ratio: float | None = None


class _StartTold(msgspec.Struct, frozen=True, kw_only=True):
    p50: float
    p90: float
    n: int


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a profile; None is not told."""

    run_ids: tuple[str, ...] = ()
    gpus_per_replica: int | None = None
    mix: _MixTold = _MixTold()
    goodput_rps: float | None = None
    prefill_tokens_per_s: float | None = None
    step_alpha_us: float | None = None
    step_beta_us: float | None = None
    step_gamma_us: float | None = None
    kv_capacity_tokens: int | None = None
    max_num_seqs: int | None = None
    rho_max: float = RHO_MAX
    cold_start_s: _StartTold | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What a load test says of a target.

    Attributes:
        load_test: What one replica carries.
        starts: How long a replica takes; None if it was not measured.
    """

    load_test: LoadTest
    starts: Lead | None


def load_test_of(one: Hinted, rows: Iterable[Row], at_s: int) -> Tested | None:
    """Return what the newest load test says of a target; None without one that can be read.

    Args:
        one: The target.
        rows: Of `telemetry.queries.profiles.profiles`.
        at_s: The instant, unix time.
    """
    row = next((row for row in rows if row["target"] == one.endpoint), None)
    if row is None:
        return None
    try:
        told = msgspec.json.decode(row["profile_json"], type=_Told)
    except msgspec.DecodeError:
        return None
    gpus = one.settings.target.gpus_per_replica
    found = LoadTest(
        basis=f"loadtest:{told.run_ids[-1]}" if told.run_ids else "loadtest",
        age_days=max(0.0, (at_s * 1000 - int(row["made_unix_ms"])) / _DAY_MS),
        same_config=told.gpus_per_replica in {None, gpus},
        engine=_engine(told),
        goodput_rps=told.goodput_rps or row["mu_star_per_s"],
        mix=_mix(told.mix),
    )
    of = told.cold_start_s
    return Tested(load_test=found, starts=None if of is None else Lead(p50_s=of.p50, p90_s=of.p90, n=of.n))


def speed_ratio(test: LoadTest | None, tpot_s: float | None, running: float | None, ctx: float | None) -> float | None:
    """Return the speed of warm replicas over the speed that the model predicts; None if either is unknown.

    Args:
        test: The load test.
        tpot_s: Median time per output token.
        running: Mean requests in the batch of a warm replica.
        ctx: Mean tokens that a request holds.
    """
    if test is None or test.engine is None or not tpot_s or not running or ctx is None:
        return None
    return test.engine.step_s(running, ctx) / tpot_s


def _engine(of: _Told) -> Engine | None:
    if not of.prefill_tokens_per_s or of.step_alpha_us is None or of.step_beta_us is None:
        return None
    return Engine(
        prefill_tokens_per_s=of.prefill_tokens_per_s,
        step_alpha_s=of.step_alpha_us / _US,
        step_beta_s=of.step_beta_us / _US,
        step_gamma_s=(of.step_gamma_us or 0.0) / _US,
        kv_tokens=of.kv_capacity_tokens,
        sequences_max=of.max_num_seqs,
        rho_max=of.rho_max,
    )


def _mix(of: _MixTold) -> Mix | None:
    if of.in_mean is None or of.out_mean is None:
        return None
    return Mix(tokens_in=of.in_mean, tokens_out=of.out_mean, prefix_hit_ratio=of.prefix_hit_ratio or 0.0)
