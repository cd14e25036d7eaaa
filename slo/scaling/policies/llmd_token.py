"""Knows llm-d's token-aware autoscaling, run by KEDA's autoscaler; refuses to know its router.

    prefill    ceil(backlog / V_P / (S_ttft - I' / V_P))     seconds of prompts that wait, per second of queue allowed
    decode     ceil(sum of cache use / 0.8)
    replicas   the larger of both; a query without data is 0

The backlog is what was sent to replicas and not read yet; what waits in their queues stands for it. At most one pod
more in 180 s, one less in 300 s, the highest of 300 s.

Source: llm-d/llm-d guides/workload-autoscaling/keda-epp-token-aware/README.md (thresholds),
optimized-baseline/base/scaledobject.yaml (queries with `or vector(0)`, 15928, 1.5 s, 0.8, behavior).
"""

from slo.scaling.policies.behavior import Behavior, Brake, Rate, RateKind, Rules
from slo.scaling.policies.hpa import SYNC_S, by_average
from slo.scaling.policies.signals import KV
from telemetry.scaling import Observation

PREFILL_TOKENS_PER_S, BUDGET_S, KV_TARGET = 15_928.0, 1.5, 0.8
"""What the guide ships: Qwen3-32B on two H100, a time to first token of about two seconds."""
BEHAVIOR = Behavior(
    up=Rules(window_s=0.0, rates=(Rate(kind=RateKind.PODS, value=1, period_s=180),)),
    down=Rules(window_s=300.0, rates=(Rate(kind=RateKind.PODS, value=1, period_s=300),)),
)


class LlmdToken:
    """Both triggers and their autoscaler."""

    def __init__(
        self,
        replicas_min: int,
        replicas_max: int,
        prefill_tokens_per_s: float = PREFILL_TOKENS_PER_S,
        budget_s: float = BUDGET_S,
    ) -> None:
        """Begin with nothing remembered; `budget_s` is what `budget` gives for a target of one's own."""
        self._low, self._high = replicas_min, replicas_max
        self._tokens_per_s, self._budget_s = prefill_tokens_per_s, budget_s
        self._brake = Brake(BEHAVIOR)

    @property
    def tick_s(self) -> float:
        """How often its autoscaler looks."""
        return SYNC_S

    def decide(self, seen: Observation) -> int:
        """Return the replicas that it would ask for."""
        if seen.spec == 0:
            return 0
        backlog_s = (seen.waiting_prompt_tokens or 0) / self._tokens_per_s
        found = max(
            by_average(backlog_s, self._budget_s, seen.spec), by_average(KV.total(seen) or 0.0, KV_TARGET, seen.spec)
        )
        return self._brake.settle(seen.now_unix_s, seen.spec, found, self._low, self._high)


def budget_s(ttft_s: float, tokens_read: float, prefill_tokens_per_s: float) -> float:
    """Return the seconds of queue that an objective leaves: the threshold that the guide derives.

    Args:
        ttft_s: Objective for the first token.
        tokens_read: Uncached prompt tokens of a request.
        prefill_tokens_per_s: Calibrated speed of one replica.
    """
    return ttft_s - tokens_read / prefill_tokens_per_s
