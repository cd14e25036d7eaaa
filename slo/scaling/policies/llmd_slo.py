"""Knows llm-d's SLO-aware law, run by KEDA's autoscaler; refuses to know its latency predictor.

    s > 0.55    n + ceil(n (s c / 0.55 - 1)), c = r / n while 0 < r < n, else 1
    s < 0.40    n - floor(n (1 - s / 0.40))
    between     n

where s is the mean over 45 s of `min(max(P90 TTFT / S_ttft, P90 TPOT / S_tpot), 2)`, and 0 where nothing is known. Up
at most max(100 %, 4 pods) in 60 s, the lowest of 30 s; down one pod in 120 s, the highest of 180 s; tolerance as ever.

Source: llm-d/llm-d guides/workload-autoscaling/README.slo-aware.md (control law, HPA layer, tunables: 3 s and 100 ms).
"""

import math

from slo.scaling.policies.behavior import Behavior, Brake, Rate, RateKind, Rules
from slo.scaling.policies.hpa import SYNC_S, by_average
from telemetry.scaling import Observation

UP, DOWN, CLAMP, WINDOW_S = 0.55, 0.40, 2.0, 45.0
TTFT_S, TPOT_S = 3.0, 0.1
BEHAVIOR = Behavior(
    up=Rules(
        window_s=30.0,
        rates=(
            Rate(kind=RateKind.PERCENT, value=100, period_s=60),
            Rate(kind=RateKind.PODS, value=4, period_s=60),
        ),
    ),
    down=Rules(window_s=180.0, rates=(Rate(kind=RateKind.PODS, value=1, period_s=120),)),
)


class LlmdSlo:
    """The law, its smoothing and its autoscaler."""

    def __init__(self, replicas_min: int, replicas_max: int, ttft_s: float = TTFT_S, tpot_s: float = TPOT_S) -> None:
        """Begin with nothing remembered."""
        self._low, self._high, self._ttft_s, self._tpot_s = replicas_min, replicas_max, ttft_s, tpot_s
        self._seen: list[tuple[float, float]] = []
        self._brake = Brake(BEHAVIOR)

    @property
    def tick_s(self) -> float:
        """How often its rules and its autoscaler look."""
        return SYNC_S

    def decide(self, seen: Observation) -> int:
        """Return the replicas that it would ask for."""
        if seen.spec == 0:
            return 0
        now_s = seen.now_unix_s
        pairs = ((seen.ttft_p90_s, self._ttft_s), (seen.tpot_p90_s, self._tpot_s))
        raw = max((value / limit for value, limit in pairs if value is not None), default=0.0)
        self._seen = [one for one in (*self._seen, (now_s, min(raw, CLAMP))) if one[0] > now_s - WINDOW_S]
        mean = sum(value for _, value in self._seen) / len(self._seen)
        passed = by_average(law(mean, seen.spec, seen.ready), 1.0, seen.spec)
        return self._brake.settle(now_s, seen.spec, passed, self._low, self._high)


def law(saturation: float, replicas: int, ready: int) -> int:
    """Return what the law asks for.

    Args:
        saturation: s.
        replicas: n, provisioned.
        ready: r, of those.
    """
    credit = ready / replicas if 0 < ready < replicas else 1.0
    if saturation > UP:
        return replicas + math.ceil(replicas * (saturation * credit / UP - 1))
    if saturation < DOWN:
        return replicas - math.floor(replicas * (1 - saturation / DOWN))
    return replicas
