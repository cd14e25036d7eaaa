"""The plan: every worker's part is exactly its share, and the hash stands for times and lengths."""

import struct
import sys
from array import array
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import PlanMismatchError
from loadtest.plan import Arrival, Columns, FollowUp, Plan, Ragged
from loadtest.plan_spec import Conversations, PlanSpec, RateCurve, SharedPrefix, WorkloadClass

SPEC = PlanSpec(seed=7, rate=RateCurve(points=((0, 1),)), count=3)


def columns(n: int) -> Columns:
    return Columns(
        t_sched_ns=array("q", range(0, 1000 * n, 1000)),
        len_in=array("I", range(1, n + 1)),
        len_out=array("I", [5] * n),
        nonce=array("Q", range(n)),
    )


def test_an_arrival_that_has_nothing_special() -> None:
    expected = Arrival(j=2, t_sched_ns=2000, workload_class="default", len_in=3, len_out=5, nonce=2)

    assert expected == Plan(SPEC, columns(3)).arrival(2)


def test_lengths_are_at_hand_for_all_arrivals() -> None:
    plan = Plan(SPEC, columns(3))

    assert ([1, 2, 3], [5, 5, 5]) == (list(plan.len_in), list(plan.len_out))


def test_an_arrival_that_has_everything() -> None:
    mix = (
        WorkloadClass(name="a"),
        WorkloadClass(
            name="b", prefix=SharedPrefix(groups=9, tokens=64), conversations=Conversations(turns=(3, 3), think_s=1)
        ),
    )
    spec = PlanSpec(seed=7, rate=SPEC.rate, count=2, classes=mix, arms=2)
    plan = Plan(
        spec,
        Columns(
            t_sched_ns=array("q", [10, 20]),
            len_in=array("I", [1, 100]),
            len_out=array("I", [2, 200]),
            nonce=array("Q", [3, 2**64 - 1]),
            class_at=array("B", [0, 1]),
            prefix_id=array("I", [0, 1]),
            arm=array("B", [0, 1]),
            patience_us=array("Q", [0, 1_500_001]),
            abort_after=array("I", [0, 7]),
            blocks=Ragged(starts=array("Q", [0, 0, 2]), values=array("Q", [11, 12])),
            turns=Ragged(starts=array("Q", [0, 0, 6]), values=array("Q", [2_000_000, 8, 9, 500_000, 6, 7])),
        ),
    )

    assert plan.arrival(0) == Arrival(j=0, t_sched_ns=10, workload_class="a", len_in=1, len_out=2, nonce=3)
    assert plan.arrival(1) == Arrival(
        j=1,
        t_sched_ns=20,
        workload_class="b",
        len_in=100,
        len_out=200,
        nonce=2**64 - 1,
        prefix_id=0,
        prefix_len=64,
        blocks=(11, 12),
        conversation=1,
        arm=1,
        patience_s=1.5,
        abort_after_tokens=7,
    )
    assert () == plan.follow_ups(0)
    assert plan.follow_ups(1) == (
        FollowUp(turn=2, think_s=2.0, len_in=8, len_out=9),
        FollowUp(turn=3, think_s=0.5, len_in=6, len_out=7),
    )
    assert mix[1] == plan.class_of("b")


@given(st.integers(0, 50), st.integers(1, 12))
def test_the_union_of_all_workers_is_the_plan(n: int, workers: int) -> None:
    plan = Plan(SPEC, columns(n))
    parts = [list(plan.mine(worker, workers)) for worker in range(workers)]

    assert [plan.arrival(j) for j in range(n)] == sorted((one for part in parts for one in part), key=lambda one: one.j)
    assert all(one.j % workers == worker for worker, part in enumerate(parts) for one in part)
    assert n == len(plan) == len(plan.t_sched_ns)


def test_the_hash_is_of_little_endian_times_and_lengths() -> None:
    packed = struct.pack("<2q2I2I", 0, 1000, 1, 2, 5, 5)

    assert sha256(packed).hexdigest() == Plan(SPEC, columns(2)).sha256


def test_the_hash_is_the_same_on_a_big_endian_host(monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = columns(2)
    for column in (swapped.t_sched_ns, swapped.len_in, swapped.len_out):
        column.byteswap()  # how such a host holds them
    monkeypatch.setattr(sys, "byteorder", "big")

    assert sha256(struct.pack("<2q2I2I", 0, 1000, 1, 2, 5, 5)).hexdigest() == Plan(SPEC, swapped).sha256


@pytest.mark.parametrize("column", ["t_sched_ns", "len_in", "len_out"])
def test_the_hash_changes_with_each_time_and_length(column: str) -> None:
    other = columns(3)
    getattr(other, column)[1] += 1

    with pytest.raises(PlanMismatchError):
        Plan(SPEC, other).must_be(Plan(SPEC, columns(3)).sha256)


def test_equal_plans_match() -> None:
    Plan(SPEC, columns(3)).must_be(Plan(SPEC, columns(3)).sha256)
