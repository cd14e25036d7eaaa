"""How long a replica takes, from observations alone and by phase."""

from hypothesis import given
from hypothesis import strategies as st

from slo.scaling.lead import (
    CAME_MAX,
    CAME_S,
    PENDING_MAX,
    SHOWN_LATE_S,
    STARTS_MAX,
    UNMEASURED_S,
    Came,
    Lead,
    Starts,
    lead,
    seen,
)
from telemetry.scaling import ReplicaView


def after(*looks: tuple[float, int, int]) -> Starts:
    starts = Starts()
    for at_s, spec, ready in looks:
        starts = seen(starts, at_s, spec, ready)
    return starts


def test_the_lead_is_the_18th_of_the_last_20() -> None:
    assert Lead(p50_s=10.0, p90_s=18.0, n=20) == lead([999.0, *map(float, range(20, 0, -1))])
    assert Lead(p50_s=7.0, p90_s=7.0, n=1) == lead([7.0])
    assert lead([]) is None
    assert 54.0 == Lead(p50_s=10.0, p90_s=18.0, n=20).failed_after_s


def test_a_start_is_measured_from_being_asked_for_to_ready() -> None:
    starts = after((0, 2, 2), (15, 4, 2), (300, 4, 3), (360, 5, 4))

    assert (285.0, 345.0) == starts.took_s
    assert (360,) == starts.asked_at_s


def test_what_was_there_before_is_not_measured() -> None:
    assert () == after((0, 4, 2), (60, 4, 4)).took_s


def test_a_request_taken_back_is_forgotten() -> None:
    starts = after((0, 2, 2), (15, 4, 2), (30, 3, 2), (100, 3, 3))

    assert ((85.0,), ()) == (starts.took_s, starts.asked_at_s)


def test_a_replica_that_does_not_become_ready_has_failed() -> None:
    starts = after((0, 1, 1), (0, 2, 1), (100, 2, 2), (200, 3, 2))

    assert ((), (200,)) == (starts.overdue(500), starts.overdue(501))
    assert () == Starts(asked_at_s=(0.0,)).overdue(1e9), "without any start nothing is too late"
    assert () == starts.overdue(501, Lead(p50_s=100.0, p90_s=101.0, n=20)), "what is known better decides"


def test_no_more_is_remembered_than_is_needed() -> None:
    starts = after((0, 0, 0), *((i, PENDING_MAX + i, i) for i in range(1, 30)))

    assert (PENDING_MAX, STARTS_MAX) == (len(starts.asked_at_s), len(starts.took_s))


def heard(**ready_for_s: float) -> list[ReplicaView]:
    return [ReplicaView(name=name, ready_for_s=since_s) for name, since_s in ready_for_s.items()]


def test_the_replicas_that_came_are_those_that_are_ready_for_the_shortest_time() -> None:
    starts = seen(after((0, 2, 2), (15, 4, 2)), 315, 4, 4, heard(a=4_000, b=4_000, c=20, d=100))
    again = seen(seen(starts, 330, 5, 4), 600, 5, 5, heard(a=4_000, b=4_000, c=305, d=385, e=10))

    assert starts.came == (
        Came(replica="d", asked_at_s=15, ready_at_s=215),
        Came(replica="c", asked_at_s=15, ready_at_s=295),
    )
    assert again.came[2:] == (Came(replica="e", asked_at_s=330, ready_at_s=590),)


def test_one_that_was_there_before_did_not_come_and_one_that_is_quick_did() -> None:
    asked = after((0, 2, 2), (60, 3, 2))

    assert (Came(replica="", asked_at_s=60, ready_at_s=90),) == seen(asked, 90, 3, 3).came, "nobody heard which"
    assert (Came(replica="", asked_at_s=60, ready_at_s=90),) == seen(asked, 90, 3, 3, heard(a=61)).came
    quick = seen(asked, 90, 3, 3, heard(a=30 + SHOWN_LATE_S))
    assert (Came(replica="a", asked_at_s=60, ready_at_s=60),) == quick.came


def test_replicas_that_came_are_remembered_for_an_hour_and_not_without_end() -> None:
    one = seen(after((0, 1, 1), (15, 2, 1)), 30, 2, 2, heard(a=10))
    many = after((0, 0, 0), (15, CAME_MAX + 1, 0), (30, CAME_MAX + 1, CAME_MAX + 1))

    assert [1, 0] == [len(seen(one, at_s, 2, 2).came) for at_s in (19 + CAME_S, 20 + CAME_S)]
    assert CAME_MAX == len(many.came)


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=40))
def test_starts_never_take_less_than_no_time(looks: list[tuple[int, int]]) -> None:
    starts = after(*((15.0 * i, spec, min(spec, ready)) for i, (spec, ready) in enumerate(looks)))

    assert all(took_s >= 0 for took_s in starts.took_s)
    assert sorted(starts.asked_at_s) == list(starts.asked_at_s)


def test_an_unmeasured_lead_gives_the_seed_s_15_minutes() -> None:
    assert 900 == UNMEASURED_S + 120
