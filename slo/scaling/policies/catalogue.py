"""Knows every policy by name, and how each is set up for a target; refuses to ask one.

A name may carry its threshold: `hpa-running=24`. Without it a policy has what its documentation ships. The threshold of
a `*-tuned` one is a share of the requests that a load test found in a replica at its goodput, 0.6 unless it is said.

    static-peak, oracle    know the traffic to come; what they reach, nobody else can
    cron                   hours of the days before, a quarter above their median
    hpa-*, keda-*          one metric each: running 16, waiting 5, GPU 75 %
    ours                   `slo.scaling.fold`, obeyed

Source: spec/scaling.md 7.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from slo.scaling.policies.apa import KV_TARGET, Apa
from slo.scaling.policies.cron import CronPolicy
from slo.scaling.policies.dynamo import DynamoSla, DynamoThroughput
from slo.scaling.policies.hpa import Hpa, Metric
from slo.scaling.policies.keda import Fallback, FallbackBehavior, Keda, Trigger
from slo.scaling.policies.kpa import TARGET as KPA_TARGET
from slo.scaling.policies.kpa import Kpa
from slo.scaling.policies.llmd_slo import LlmdSlo
from slo.scaling.policies.llmd_token import LlmdToken, budget_s
from slo.scaling.policies.oracle import Oracle
from slo.scaling.policies.ours import Ours
from slo.scaling.policies.ray_serve import TARGET as RAY_TARGET
from slo.scaling.policies.ray_serve import RayServe
from slo.scaling.policies.seed import SeedPolicy
from slo.scaling.policies.signals import GPU, IN_FLIGHT, RUNNING, WAITING, Signal
from slo.scaling.policies.static import StaticPeak
from slo.scaling.policies.wva import WvaV1, WvaV2
from slo.scaling.schedule import Schedule, schedule
from slo.scaling.settings import Known, LoadTest, Settings
from slo.scaling.shape import SLOT_S, Shape
from telemetry.scaling import Policy

RAY_LOOP_S = 5.0
"""Control loop of Ray Serve here; its own is 0.1 s, which delays by less than one of these."""
CRON_HEADROOM = 1.25

_HOURS, _HOUR_S = 24, 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a policy is told before it begins.

    Attributes:
        settings: The target: bounds and objectives.
        known: What a user knows of it: the load test, the shape of its days.
        in_flight: Requests that a replica holds at its goodput; None if the load test did not count them.
        lead_s: How long a replica takes.
        rates: (from which second of unix time on, requests a second) of what is to come; only those that know the
            future read it.
    """

    settings: Settings
    known: Known
    in_flight: float | None = None
    lead_s: float = 300.0
    rates: Sequence[tuple[float, float]] = ()

    @property
    def load_test(self) -> LoadTest:
        """The load test.

        Raises:
            ValueError: There is none, or it did not find a rate.
        """
        test = self.known.load_test
        if test is None or test.engine is None or not test.goodput_rps:
            raise ValueError("found no load test with an engine and a goodput, allowed: one")
        return test

    @property
    def replica_rps(self) -> float:
        """What one replica carries."""
        return self.load_test.goodput_rps or 0.0

    @property
    def objectives_s(self) -> tuple[float, float]:
        """For the first token, and for each later one; infinite without one."""
        return self.settings.ttft_s or math.inf, self.settings.itl_s or math.inf


Build = Callable[[Given, float | None], Policy]
"""Takes the threshold, None for the one that is shipped."""


def build(name: str, given: Given) -> Policy:
    """Return a policy that remembers nothing yet.

    Args:
        name: Of `NAMES`, with `=` and a number if it takes one.
        given: What it is told.

    Raises:
        ValueError: Nobody is called so, or it lacks what it needs.
    """
    make, value = _meant(name)
    return make(given, value)


def listed(text: str) -> tuple[str, ...]:
    """Return the policies of a list as people write it, `ours,kpa,hpa-running=24`, each once.

    Raises:
        ValueError: One of them is none, or there is none.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names or ("",):
        _meant(name)
    return names


def of_hours(shape: Shape | None, replica_rps: float) -> tuple[Schedule, ...]:
    """Return the schedule of each hour of a day that somebody would write who looked at the days before.

    Args:
        shape: Of those days; None gives none.
        replica_rps: What one replica carries.
    """
    if shape is None:
        return ()
    per_day = 86_400 // SLOT_S
    by_hour = dict[int, list[float]]()
    for slot, rate in shape.slots.items():
        by_hour.setdefault(slot % per_day * SLOT_S // _HOUR_S, []).append(rate)
    return tuple(
        schedule(
            f"hour-{hour}",
            f"0 {hour} * * *",
            "UTC",
            _HOUR_S,
            replicas_min=math.ceil(CRON_HEADROOM * max(rates) / replica_rps),
        )
        for hour, rates in sorted(by_hour.items())
    )


def _meant(name: str) -> tuple[Build, float | None]:
    plain, _, number = name.partition("=")
    make = _BUILDERS.get(plain)
    if make is None or (number and plain not in THRESHOLDS):
        raise ValueError(f"found policy {name!r}, allowed: {', '.join(NAMES)}")
    try:
        value = float(number) if number else None
    except ValueError:
        value = math.nan
    if value is not None and not 0 < value < math.inf:
        raise ValueError(f"found policy {name!r}, allowed: a number above 0 behind its =")
    return make, value


def _metric(of: Signal, shipped: float, value: float | None) -> Metric:
    return Metric(signal=of, target=shipped if value is None else value)


def _hpa(of: Signal, shipped: float) -> Build:
    def make(given: Given, value: float | None) -> Policy:
        return Hpa([_metric(of, shipped, value)], *_bounds(given))

    return make


def _keda(of: Signal, shipped: float) -> Build:
    def make(given: Given, value: float | None) -> Policy:
        trigger = Trigger(metric=_metric(of, shipped, value), ignore_null_values=False)
        keeps = Fallback(failure_threshold=3, replicas=given.settings.replicas_min, behavior=FallbackBehavior.CURRENT)
        return Keda([trigger], *_bounds(given), fallback=keeps)

    return make


def _share(of: Callable[[Given, float], Policy], shipped: float) -> Build:
    """Return what builds with a share of the requests that a replica holds at its goodput."""

    def make(given: Given, value: float | None) -> Policy:
        if given.in_flight is None:
            raise ValueError("found no count of requests in flight in the load test, allowed: one")
        return of(given, given.in_flight * (shipped if value is None else value))

    return make


def _bounds(given: Given) -> tuple[int, int]:
    return given.settings.replicas_min, given.settings.replicas_max


def _llmd_token(given: Given, _: float | None) -> Policy:
    engine, mix = given.load_test.engine, given.load_test.mix
    if engine is None or mix is None:
        raise ValueError("found no mix of requests in the load test, allowed: one")
    left_s = budget_s(given.objectives_s[0], mix.tokens_read, engine.prefill_tokens_per_s)
    return LlmdToken(*_bounds(given), prefill_tokens_per_s=engine.prefill_tokens_per_s, budget_s=max(left_s, 0.1))


def _dynamo(given: Given, _: float | None) -> Policy:
    engine = given.load_test.engine
    if engine is None or engine.kv_tokens is None:
        raise ValueError("found no size of a cache in the load test, allowed: one")
    return DynamoThroughput(*_bounds(given), kv_tokens=engine.kv_tokens)


def _dynamo_sla(given: Given, _: float | None) -> Policy:
    engine = given.load_test.engine
    if engine is None:
        raise ValueError("found no engine in the load test, allowed: one")
    return DynamoSla(*_bounds(given), engine=engine, objectives_s=given.objectives_s)


def _wva_v2(given: Given, _: float | None) -> Policy:
    engine = given.load_test.engine
    if engine is None:
        raise ValueError("found no engine in the load test, allowed: one")
    return WvaV2(*_bounds(given), engine=engine)


def _cron(given: Given, _: float | None) -> Policy:
    low, _high = _bounds(given)
    return CronPolicy(of_hours(given.known.shape, given.replica_rps), low)


def _ours(given: Given, _: float | None) -> Policy:
    return Ours(given.settings, given.known)


def _static(given: Given, _: float | None) -> Policy:
    return StaticPeak(max((rate for _, rate in given.rates), default=0.0), given.replica_rps)


_BUILDERS: Mapping[str, Build] = {
    "ours": _ours,
    "static-peak": _static,
    "oracle": lambda given, _: Oracle(given.rates, given.replica_rps, given.lead_s),
    "cron": _cron,
    "seed": lambda given, _: SeedPolicy(*_bounds(given), schedules=given.settings.schedules),
    "hpa-running": _hpa(RUNNING, 16),
    "hpa-waiting": _hpa(WAITING, 5),
    "hpa-gpu": _hpa(GPU, 0.75),
    "keda-running": _keda(RUNNING, 16),
    "keda-waiting": _keda(WAITING, 5),
    "kpa": lambda given, value: Kpa(*_bounds(given), target=KPA_TARGET if value is None else value),
    "aibrix-apa": lambda given, value: Apa(*_bounds(given), target=KV_TARGET if value is None else value),
    "ray-serve": lambda given, value: RayServe(
        *_bounds(given), target=RAY_TARGET if value is None else value, loop_s=RAY_LOOP_S
    ),
    "wva-v1": lambda given, _: WvaV1(*_bounds(given)),
    "wva-v2": _wva_v2,
    "llmd-slo": lambda given, _: LlmdSlo(*_bounds(given), ttft_s=given.objectives_s[0], tpot_s=given.objectives_s[1]),
    "llmd-token": _llmd_token,
    "dynamo": _dynamo,
    "dynamo-sla": _dynamo_sla,
    "hpa-tuned": _share(lambda given, target: Hpa([Metric(signal=RUNNING, target=target)], *_bounds(given)), 0.6),
    "keda-tuned": _share(lambda given, target: _keda(RUNNING, target)(given, None), 0.6),
    "kpa-tuned": _share(lambda given, target: Kpa(*_bounds(given), target=target), 0.6),
    "ray-tuned": _share(lambda given, target: RayServe(*_bounds(given), target=target, loop_s=RAY_LOOP_S), 0.6),
    "apa-tuned": _share(lambda given, target: Apa(*_bounds(given), signal=IN_FLIGHT, target=target), 0.6),
}
NAMES = tuple(_BUILDERS)
"""All policies."""
FORESEEING = frozenset({"static-peak", "oracle"})
"""Those that know the traffic to come."""
THRESHOLDS = frozenset(
    {"kpa", "aibrix-apa", "ray-serve", *(name for name in NAMES if name.startswith(("hpa-", "keda-")))}
    | {name for name in NAMES if name.endswith("-tuned")}
)
"""Those that take a number."""
