"""The reader over a real store: buckets are counted once, whoever counts, and again only under a revision."""

from dataclasses import replace
from pathlib import Path

import pytest
from engine_rig import Rig, objective

from slo.counts import Counts
from slo.objective import DAY_S, Budgeting, counted
from slo.reader import CHUNK_S, EXPECTED_OBJECTIVES, Reader, chunk_s
from slo.telemetry_state import Blind, BlindCause
from slo.watched import watched
from telemetry.clock import wall_ms
from telemetry.queries.counted import OBJECTIVES_MAX, counts
from telemetry.store import Store

NOW_S = wall_ms() // 1000 // 30 * 30 - 3_600


@pytest.fixture
def rig(reader: Store, writer: Store, tmp_path: Path, request: pytest.FixtureRequest) -> Rig:
    return Rig(reader, writer, tmp_path / "ledger.sqlite", request.node.name.replace("_", "-")[:60], NOW_S)


def test_a_bucket_is_counted_once_and_again_under_a_revision(rig: Rig, reader: Store, writer: Store) -> None:
    asks = Reader(reader, writer, rig.watched, "r")
    key = (rig.name, f'{{"endpoint":"{rig.name}"}}')
    rig.requests(3, 1, at_s=NOW_S + 10)
    times = [asks.count([rig.name], NOW_S, NOW_S + 60, wall_ms()) for _ in range(2)]
    rig.requests(0, 2, at_s=NOW_S + 20)
    again = asks.count([rig.name], NOW_S, NOW_S + 30, wall_ms(), revision=NOW_S)
    rig.requests(5, 0, at_s=NOW_S + 40)
    first_late = asks.count([rig.name], NOW_S + 30, NOW_S + 60, wall_ms(), revision=NOW_S)

    assert times == [1, 0]
    assert (again, first_late) == (1, 1)
    assert asks.windows(NOW_S + 60, (30, 60))[key] == {30: Counts(eligible=5), 60: Counts(eligible=11, bad=3)}
    assert [one.start_s for one in asks.buckets(NOW_S, NOW_S + 60)[key]] == [NOW_S, NOW_S + 30]
    assert asks.extents(NOW_S - DAY_S) == {rig.name: (NOW_S, NOW_S + 60)}
    assert asks.extents(NOW_S + 60) == {}


def test_what_was_never_counted_starts_with_the_oldest_request(reader: Store, writer: Store) -> None:
    fresh = Reader(reader, writer, [watched(objective("nobody-counted"))], "r")
    oldest_s = fresh.oldest_s(NOW_S + 7_200)

    assert oldest_s % 30 == 0
    assert NOW_S + 7_200 - 14 * DAY_S <= oldest_s <= NOW_S + 7_200
    assert fresh.extents(oldest_s) == {}


def test_past_hours_tell_what_to_expect(rig: Rig, reader: Store, writer: Store) -> None:
    asks = Reader(reader, writer, rig.watched, "r")
    hour_s = NOW_S // 3_600 * 3_600 - 3_600
    rig.requests(10, 0, at_s=hour_s + 60)
    asks.count([rig.name], hour_s, hour_s + 90, wall_ms())
    (part,) = asks.expected_parts()
    (expected,) = asks.expected(hour_s + 3_600, part).values()

    assert expected == pytest.approx(10 * 24), "a day at ten an hour"


def test_a_bucket_that_has_not_changed_is_not_written_again(rig: Rig, reader: Store, writer: Store) -> None:
    asks = Reader(reader, writer, rig.watched, "r")
    rig.requests(3, 1, at_s=NOW_S + 10)

    assert [asks.count([rig.name], NOW_S, NOW_S + 30, wall_ms(), revision=n) for n in (0, NOW_S, NOW_S + 30)] == [
        1,
        0,
        0,
    ]


@pytest.mark.system
@pytest.mark.timeout(60)
def test_objectives_of_too_many_forms_for_one_question_are_counted_in_halves(
    rig: Rig, reader: Store, writer: Store
) -> None:
    forms = [" or ".join(["ok", *(f"ttft_s <= {k}" for k in range(n + 1))]) for n in range(60)]
    some = [watched(objective(f"{rig.name}-{n}", form)) for n, form in enumerate(forms)]
    rig.requests(3, 0, at_s=NOW_S + 10)
    asks = Reader(reader, writer, [*rig.watched, *some], "r")

    with pytest.raises(ValueError, match="statement of"):
        counts(counted([one.objective for one in some]), NOW_S * 1000, NOW_S * 1000 + 30_000)
    assert asks.count([rig.name, *(one.objective.name for one in some)], NOW_S, NOW_S + 30, wall_ms()) == 1


def test_more_objectives_than_one_question_takes_are_asked_in_turn(rig: Rig, reader: Store, writer: Store) -> None:
    many = [watched(objective(f"{rig.name}-{n}")) for n in range(OBJECTIVES_MAX)]
    asks = Reader(reader, writer, [*many, *rig.watched], "r")
    rig.requests(3, 1, at_s=NOW_S + 10)

    assert asks.count([rig.name, many[0].objective.name], NOW_S, NOW_S + 30, wall_ms()) == 1
    assert asks.windows(NOW_S + 30, (30,)) == {
        (rig.name, f'{{"endpoint":"{rig.name}"}}'): {30: Counts(eligible=4, bad=1)}
    }
    assert len(asks.buckets(NOW_S, NOW_S + 30)) == 1
    assert asks.extents(NOW_S + 30) == {}
    assert [len(part) for part in asks.expected_parts()] == [EXPECTED_OBJECTIVES] * 10 + [1]


def test_the_more_objectives_the_shorter_the_span_that_is_counted_at_once() -> None:
    assert [chunk_s(n) for n in (0, 1, 100, 101, 1_000, 100_000)] == [CHUNK_S, CHUNK_S, CHUNK_S, 1_800, 360, 30]


def test_slices_of_an_objective_make_its_budget(rig: Rig, reader: Store, writer: Store) -> None:
    sliced = replace(rig.watched[0].objective, budgeting=Budgeting.TIMESLICES, slice_s=60, slice_target=0.5, target=0.9)
    one = watched(sliced)
    asks = Reader(reader, writer, [one], "r")
    rig.requests(1, 3, at_s=NOW_S + 10)
    rig.requests(5, 0, at_s=NOW_S + 70)
    asks.count([rig.name], NOW_S, NOW_S + 240, wall_ms())
    unseen = {f'{{"endpoint":"{rig.name}"}}': [Blind(start_s=NOW_S + 120, end_s=NOW_S + 150, cause=BlindCause.STORE)]}
    (found,) = asks.sliced(one, NOW_S, NOW_S + 240).values()
    (blind,) = asks.sliced(one, NOW_S, NOW_S + 240, unseen.__getitem__).values()

    assert (blind.judged, blind.bad, blind.blind) == (3, 1, 1), "of the third a part was seen by nobody"
    assert (found.judged, found.bad, found.sli) == (4, 1, 0.75), "two slices had no requests, and count as good"
