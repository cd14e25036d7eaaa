"""A target, what is known of it and what is seen of it, for the tests of hints."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from slo.scaling.capacity import Engine, Mix
from slo.scaling.codes import Reason, Veto
from slo.scaling.fold import advance
from slo.scaling.hint import Hint
from slo.scaling.settings import Known, LoadTest, Settings, Target
from slo.scaling.shape import Shape
from slo.scaling.state import State
from telemetry.scaling import Observation, Policy, ReplicaView

T0 = 1_784_110_200
"""2026-07-15T10:10:00Z, a Wednesday; a whole minute."""
LATER = T0 + 1_080 + 15
"""Two leads of nine minutes after the first instant: nothing need be waited for any longer."""
TARGET = Target(name="llama70b-chat", namespace="prod", variant="h100-tp4", gpus_per_replica=4)
SETTINGS = Settings(target=TARGET, replicas_min=2, replicas_max=12, ttft_s=2.0, itl_s=0.05, usd_per_gpu_hour=2.0)
ENGINE = Engine(
    prefill_tokens_per_s=9_000, step_alpha_s=0.029, step_beta_s=0.00025, kv_tokens=120_000, sequences_max=256
)
MIX = Mix(tokens_in=1_020, tokens_out=129)
TEST = LoadTest(basis="loadtest:run_0193", age_days=3, engine=ENGINE, goodput_rps=2.6, mix=MIX)
KNOWN = Known(load_test=TEST, forecast_error_p95=1.24)


def replica(number: int, **values: Any) -> ReplicaView:  # noqa: ANN401 - whatever field a test changes
    """Return a replica at work; its values are those of a calm hour unless told otherwise."""
    calm: dict[str, Any] = {
        "ready_for_s": 3_600.0,
        "age_s": 4.0,
        "running": 8,
        "waiting": 0,
        "waiting_prompt_tokens": 0,
        "kv_used_ratio": 0.3,
        "gpu_util_ratio": 0.6,
    }
    return ReplicaView(name=f"r{number}", **{**calm, **values})


def observed(
    at_s: float = T0,
    *,
    spec: int = 4,
    warming: int = 0,
    each: dict[str, Any] | None = None,
    **values: Any,  # noqa: ANN401 - whatever field a test changes
) -> Observation:
    """Return an observation of a calm hour; `each` changes every replica."""
    ready = spec - warming
    calm: dict[str, Any] = {
        "now_unix_s": float(at_s),
        "spec": spec,
        "ready": ready,
        "warming": warming,
        "draining": 0,
        "replicas": tuple(replica(number, **(each or {})) for number in range(ready)),
        "age_s": 4.0,
        "coverage": 1.0,
        "arrivals_rps": 5.0,
        "completed_rps": 5.0,
        "held": 0,
        "tokens_in_mean": 1_020.0,
        "tokens_out_mean": 129.0,
        "prefix_hit_ratio": 0.0,
        "ttft_p90_s": 0.4,
        "tpot_p90_s": 0.01,
        "cold_start_p50_s": 300.0,
        "cold_start_p90_s": 540.0,
        "objective_ratio": 0.99,
        "attainment_1h_ratio": 0.999,
        "burn_1h": 0.1,
        "budget_left_ratio": 0.63,
    }
    return Observation(**{**calm, **values})


class Follower:
    """Follows one target, and keeps what it was told last."""

    def __init__(self, settings: Settings = SETTINGS, known: Known = KNOWN, state: State | None = None) -> None:
        """Begin with nothing remembered, unless told otherwise."""
        self.settings, self.known = settings, known
        self.state = State() if state is None else state

    def see(self, observation: Observation) -> Hint:
        """Return the hint of one more instant."""
        self.state, hint = advance(self.state, self.settings, self.known, observation)
        return hint

    def watch(self, since_s: int, until_s: int, **values: Any) -> Hint:  # noqa: ANN401 - whatever field a test changes
        """See the same thing at each instant of a span; return the last hint."""
        return [self.see(observed(at_s, **values)) for at_s in range(since_s, until_s, 15)][-1]

    def obey(self, instants: Iterable[int], spec: int, **values: Any) -> list[Hint]:  # noqa: ANN401 - as above
        """Do what each hint says before the next instant, replicas ready at once; return the hints."""
        hints: list[Hint] = []
        for at_s in instants:
            hints.append(self.see(observed(at_s, spec=spec, **values)))
            spec = hints[-1].replicas.desired
        return hints


def changed(known: Known, **values: Any) -> Known:  # noqa: ANN401 - whatever field a test changes
    """Return what is known, with another value."""
    return replace(known, **values)


def as_policy(policy: Policy) -> Policy:
    """Return a policy, known by its protocol alone."""
    return policy


def codes(hint: Hint) -> set[Veto]:
    """Return what speaks against fewer."""
    return {one.code for one in hint.vetoes}


def reasons(hint: Hint) -> list[Reason]:
    """Return why, what decided first."""
    return [one.code for one in hint.reasons]


class Grown(Shape):
    """A day that doubles within each lead."""

    def __init__(self) -> None:
        """Know nothing of its hours."""
        super().__init__(slots={}, weekly=False)

    def growth(self, at_s: float, lead_s: float) -> float:  # noqa: ARG002 - whenever it is
        """Return two."""
        return 2.0
