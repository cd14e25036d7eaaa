"""Says what an observation adds up, and that a hole in it is never 0."""

import pytest

from telemetry.scaling import Observation, Policy, ReplicaView

SILENT = ReplicaView(name="r-0", ready_for_s=9.0)
CALM = ReplicaView(
    name="r-1",
    ready_for_s=600.0,
    age_s=4.0,
    running=8,
    waiting=0,
    waiting_prompt_tokens=0,
    kv_used_ratio=0.25,
    gpu_util_ratio=0.5,
)
BUSY = ReplicaView(
    name="r-2",
    ready_for_s=900.0,
    age_s=4.0,
    running=32,
    waiting=5,
    waiting_prompt_tokens=5100,
    kv_used_ratio=0.75,
    gpu_util_ratio=1.0,
)


def seen(*replicas: ReplicaView, tokens_in: float | None = None, hits: float | None = None) -> Observation:
    return Observation(
        now_unix_s=1_800_000_000.0,
        spec=len(replicas),
        ready=len(replicas),
        warming=0,
        draining=0,
        replicas=replicas,
        age_s=4.0,
        coverage=1.0,
        tokens_in_mean=tokens_in,
        prefix_hit_ratio=hits,
    )


def test_sums_are_over_those_that_reported() -> None:
    found = seen(SILENT, CALM, BUSY)

    assert (40, 5, 5100) == (found.running, found.waiting, found.waiting_prompt_tokens)
    assert (0.25, 0.75) == found.kv_used_ratios
    assert 0.75 == found.gpu_util_ratio


@pytest.mark.parametrize("replicas", [(), (SILENT,)], ids=["no replica", "a silent replica"])
def test_what_nobody_reported_is_unknown(replicas: tuple[ReplicaView, ...]) -> None:
    found = seen(*replicas)

    assert (None, None, None) == (found.running, found.waiting, found.waiting_prompt_tokens)
    assert () == found.kv_used_ratios
    assert found.gpu_util_ratio is None


@pytest.mark.parametrize(
    ("tokens_in", "hits", "uncached"),
    [(1000.0, 0.25, 750.0), (1000.0, None, 1000.0), (None, 0.25, None)],
    ids=["some cached", "hits unknown", "prompts unknown"],
)
def test_uncached_tokens(tokens_in: float | None, hits: float | None, uncached: float | None) -> None:
    assert uncached == seen(tokens_in=tokens_in, hits=hits).tokens_in_uncached_mean


class Static:
    tick_s = 15.0

    def decide(self, seen: Observation) -> int:
        return max(1, seen.spec)


def test_a_policy_is_whatever_decides() -> None:
    policy: Policy = Static()

    assert 2 == policy.decide(seen(CALM, BUSY))
