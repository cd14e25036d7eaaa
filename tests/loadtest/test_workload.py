"""What arrivals ask for: draws that do not disturb each other, and shares that are as asked; seeds are fixed."""

from collections import Counter

import msgspec
import pytest

from loadtest import workload
from loadtest.errors import PlanError
from loadtest.plan import Arrival, Plan
from loadtest.plan_spec import (
    Conversations,
    Fixed,
    Pairs,
    Patience,
    PlannedAborts,
    PlanSpec,
    RateCurve,
    Separate,
    SharedPrefix,
    Uniform,
    WorkloadClass,
)
from loadtest.planner import build

N = 4000
PLAIN = WorkloadClass(name="plain", lengths=Separate(tokens_in=Uniform(low=1, high=1000), tokens_out=Fixed(tokens=8)))


def plan(*classes: WorkloadClass, arms: int = 1, seed: int = 5) -> Plan:
    return build(PlanSpec(seed=seed, rate=RateCurve(points=((0, 100),)), count=N, classes=classes, arms=arms))


def arrivals(*classes: WorkloadClass, arms: int = 1, seed: int = 5) -> list[Arrival]:
    return list(plan(*classes, arms=arms, seed=seed).mine(0, 1))


def test_a_plain_arrival_has_only_lengths_and_a_nonce() -> None:
    found = arrivals(PLAIN)
    bare = (None, 0, (), None, 1, 0, None, None)

    assert {bare} == {
        (o.prefix_id, o.prefix_len, o.blocks, o.conversation, o.turn, o.arm, o.patience_s, o.abort_after_tokens)
        for o in found
    }
    assert N == len({one.nonce for one in found})
    assert abs(sum(one.len_in for one in found) / N - 500.5) < 25  # five standard errors


def test_a_mix_by_weight() -> None:
    found = Counter(one.workload_class for one in arrivals(PLAIN, WorkloadClass(name="batch", weight=3)))

    assert abs(found["batch"] - 3000) < 140  # five standard errors


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"prefix": SharedPrefix(groups=3, tokens=1)}, id="a shared prefix"),
        pytest.param({"patience": Patience(median_s=1, sigma=1)}, id="patience"),
        pytest.param({"aborts": PlannedAborts(ratio=0.5, after_tokens=1)}, id="aborts"),
        pytest.param({"conversations": Conversations(turns=(1, 4), think_s=1)}, id="conversations"),
        pytest.param({"lengths": Pairs(pairs=((5, 5),))}, id="lengths"),
    ],
)
def test_one_change_leaves_the_draws_of_the_other_class(change: dict[str, object]) -> None:
    other = WorkloadClass(name="other")
    before = arrivals(PLAIN, other)
    after = arrivals(PLAIN, msgspec.structs.replace(other, **change))

    assert [one for one in before if one.workload_class == "plain"] == [
        one for one in after if one.workload_class == "plain"
    ]
    assert [one.workload_class for one in before] == [one.workload_class for one in after]


def test_shared_prefixes_follow_zipf_and_fit_into_their_prompt() -> None:
    found = arrivals(msgspec.structs.replace(PLAIN, prefix=SharedPrefix(groups=3, tokens=300, zipf=1)))
    groups = Counter(one.prefix_id for one in found)

    assert {0, 1, 2} == set(groups)
    assert abs(groups[0] / N - 6 / 11) < 0.04
    assert abs(groups[2] / N - 2 / 11) < 0.03
    assert 301 == min(one.len_in for one in found)
    assert {300} == {one.prefix_len for one in found}


def test_patience_is_lognormal_or_constant() -> None:
    constant = arrivals(msgspec.structs.replace(PLAIN, patience=Patience(median_s=2)))
    spread = sorted(
        one.patience_s or 0
        for one in arrivals(msgspec.structs.replace(PLAIN, patience=Patience(median_s=2, sigma=0.5)))
    )

    assert {2.0} == {one.patience_s for one in constant}
    assert abs(spread[N // 2] - 2) < 0.1
    assert abs(spread[round(0.8413 * N)] - 2 * 1.6487) < 0.2  # one sigma above: times e^0.5


def test_planned_aborts() -> None:
    found = Counter(
        one.abort_after_tokens
        for one in arrivals(msgspec.structs.replace(PLAIN, aborts=PlannedAborts(ratio=0.25, after_tokens=3)))
    )

    assert {None, 3} == set(found)
    assert abs(found[3] - 1000) < 140


def test_conversations_have_turns() -> None:
    law = Conversations(turns=(1, 3), think_s=2.0, tokens_in=Fixed(tokens=20))
    made = plan(msgspec.structs.replace(PLAIN, conversations=law))
    further = [made.follow_ups(j) for j in range(N)]
    lengths = Counter(map(len, further))

    assert {0, 1, 2} == set(lengths)
    assert all(abs(count - N / 3) < 150 for count in lengths.values())
    assert {(2, 2.0, 20, 8), (3, 2.0, 20, 8)} == {
        (one.turn, one.think_s, one.len_in, one.len_out) for turns in further for one in turns
    }
    assert 17 == made.arrival(17).conversation


def test_further_turns_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = msgspec.structs.replace(PLAIN, conversations=Conversations(turns=(3, 3), think_s=0))
    monkeypatch.setattr(workload, "ARRIVALS_MAX", 2 * N)
    plan(kind)
    monkeypatch.setattr(workload, "ARRIVALS_MAX", 2 * N - 1)

    with pytest.raises(PlanError, match="turns"):
        plan(kind)


def test_two_arms_get_pairs_in_a_random_order() -> None:
    kind = msgspec.structs.replace(
        PLAIN,
        prefix=SharedPrefix(groups=9, tokens=5),
        patience=Patience(median_s=1, sigma=1),
        conversations=Conversations(turns=(1, 3), think_s=2.0, think_sigma=1.0),
    )
    made = plan(kind, PLAIN.__class__(name="other"), arms=2)
    pairs = [(made.arrival(j), made.arrival(j + 1)) for j in range(0, N, 2)]

    assert all({0, 1} == {a.arm, b.arm} for a, b in pairs)
    assert abs(sum(a.arm for a, _ in pairs) - N / 4) < 112
    assert all(a.nonce != b.nonce for a, b in pairs)
    for a, b in pairs:
        assert (a.workload_class, a.len_in, a.len_out, a.prefix_id, a.patience_s) == (
            b.workload_class,
            b.len_in,
            b.len_out,
            b.prefix_id,
            b.patience_s,
        )
        assert made.follow_ups(a.j) == made.follow_ups(b.j)


def test_an_odd_plan_ends_in_half_a_pair() -> None:
    made = build(PlanSpec(seed=1, rate=RateCurve(points=((0, 100),)), count=3, arms=2))

    assert 3 == len(list(made.mine(0, 1)))
