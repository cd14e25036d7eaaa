"""Budgets without what people took out, over a real store and against the same made of single buckets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from engine_rig import objective

from slo.adjuster import CHUNK_S, SETTLED_S, SLICED_EVERY_S, Adjuster, labels_of, period_start_s
from slo.adjustments import Agreed, spans
from slo.buckets import Adjustment, Bucket, adjusted, in_window, slices
from slo.budget import BlindPolicy, Budget, occurrences, ratio_timeslices, timeslices
from slo.counts import Counts
from slo.objective import Budgeting, Objective, Rolling
from slo.periods import Calendar, CalendarUnit
from slo.recurrence import repeat
from slo.sight import Key, Sight
from slo.silence import Matcher, MatchOp
from slo.telemetry_state import Blind, BlindCause
from slo.watched import Watched, watched
from telemetry.errors import StoreError, StoreUnreachableError
from telemetry.queries import Question
from telemetry.schema.objectives import SLO_MINUTES
from telemetry.store import Store

AT_S = 1_790_000_010
HOUR_S = 3_600
PERIOD_S = 8 * HOUR_S
TARGET = 0.9


def one(name: str, **changes: Any) -> Watched:  # noqa: ANN401 -- fields of the objective
    return watched(replace(objective(name, target=TARGET), window=Rolling(length_s=PERIOD_S), **changes))


def agreed(name: str, start_s: int, end_s: int, percent: int = 100, **changes: Any) -> Agreed:  # noqa: ANN401 -- fields
    return replace(
        Agreed(
            id=f"{name}-{start_s}", matchers=(Matcher(name="slo", op=MatchOp.EQUAL, value=name),), start_s=start_s,
            end_s=end_s, excluded_percent=percent, reason="repair", author="ann", made_at_s=AT_S,
        ),
        **changes,
    )  # fmt: skip


def key_of(name: str, group: str = '{"endpoint":"a"}') -> Key:
    return name, group


def sight(windows: Mapping[Key, Mapping[int, Counts]], at_s: int = AT_S, **more: Any) -> Sight:  # noqa: ANN401 -- fields
    return Sight(at_s=at_s, windows=windows, **more)


def unseen(*spans: Blind) -> Callable[[str, int, int], tuple[Blind, ...]]:
    return lambda _endpoint, _since_s, _until_s: spans


def put(writer: Store, of: Watched, buckets: Sequence[Bucket], group: str = '{"endpoint":"a"}', again: int = 0) -> None:
    rows: list[tuple[object, ...]] = []
    for bucket in buckets:
        counts = bucket.counts
        values: dict[str, Any] = {
            "t": bucket.start_s, "slo": of.objective.name, "group_key": group, "definition_hash": of.definition_hash,
            "revision": again, "eligible": counts.eligible, "good": counts.good, "bad": {}, "censored_bad": 0,
            "excluded": {}, "n_null": {}, "coverage": None, "computed_at": AT_S * 1000,
        }  # fmt: skip
        rows.append(tuple(values[column.name] for column in SLO_MINUTES.insert_columns))
    writer.insert_rows(SLO_MINUTES, rows, f"adjuster-{of.objective.name}-{group}-{again}")


def history(seed: str) -> list[Bucket]:
    random = Random(seed)  # noqa: S311 -- seeded on purpose
    starts = [AT_S - PERIOD_S + 30 * n for n in range(PERIOD_S // 30) if random.random() < 0.6]
    made = [Counts(eligible=(n := random.randint(0, 20)), bad=random.randint(0, n)) for _ in starts]
    return [Bucket(start_s=at, counts=counts) for at, counts in zip(starts, made, strict=True)]


class Noted:
    """A store that notes what it is asked."""

    def __init__(self, store: Store) -> None:
        self._store, self.asked = store, 0

    def query(self, question: Question) -> Any:  # noqa: ANN401 -- as the store's
        self.asked += 1
        return self._store.query(question)


class Failing(Noted):
    """A store that does not answer."""

    def query(self, question: Question) -> Any:  # noqa: ANN401 -- as the store's
        super().query(question)
        raise StoreUnreachableError("no answer")


METHODS = {
    "occurrences": {},
    "timeslices": {"budgeting": Budgeting.TIMESLICES, "slice_s": 120, "slice_target": 0.5},
    "ratio timeslices": {"budgeting": Budgeting.RATIO_TIMESLICES, "slice_s": 300},
}


def reference(of: Objective, buckets: Sequence[Bucket], out: Sequence[Adjustment]) -> Budget:
    if of.budgeting is Budgeting.OCCURRENCES:
        return occurrences(*adjusted(buckets, out), TARGET)
    parts = slices(buckets, AT_S - PERIOD_S, AT_S, of.slice_s or 60, out)
    return ratio_timeslices(parts, TARGET) if of.slice_target is None else timeslices(parts, TARGET, of.slice_target)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_left_is_what_single_buckets_leave(reader: Store, writer: Store, method: str) -> None:
    """slo.md 4: excluded minutes leave numerator and denominator, by every method."""
    of = one(f"adjuster-{method.replace(' ', '-')}", **METHODS[method])
    name, buckets = of.objective.name, history(method)
    put(writer, of, buckets)
    times = (
        agreed(name, AT_S - PERIOD_S - HOUR_S, AT_S - PERIOD_S + 1_000),  # the edge of the window cuts it
        agreed(name, AT_S - 5 * HOUR_S, AT_S - 4 * HOUR_S, 40),
        agreed(name, AT_S - 4 * HOUR_S - 600, AT_S - 4 * HOUR_S + 45, 70),  # overlaps, and ends within a bucket
        agreed(name, AT_S - 300, AT_S + HOUR_S),  # goes on
        agreed("another", AT_S - PERIOD_S, AT_S),
    )
    key = key_of(name)
    windows = {key: {PERIOD_S: in_window(buckets, AT_S, PERIOD_S)}}
    found = Adjuster(reader, [of], lambda: times).budgets(sight(windows))

    own = [span for time in times[:-1] for span in spans(time, AT_S - PERIOD_S, AT_S)]
    assert found == {key: reference(of.objective, buckets, own)}
    assert found[key] != reference(of.objective, buckets, []), "something was taken out"


def test_a_daily_window_is_taken_out_of_a_calendars_period(reader: Store, writer: Store) -> None:
    """A calendar's period begins at its civil start; the maintenance comes each day at 02:00 UTC."""
    day = Calendar(start=datetime(2026, 1, 1), zone="UTC", count=7, unit=CalendarUnit.DAY)  # noqa: DTZ001 -- wall time
    of = watched(replace(objective("adjuster-calendar", target=TARGET), window=day))
    since_s = period_start_s(of.objective, AT_S)
    two = since_s + 2 * HOUR_S
    kept, out = Counts(eligible=10, bad=1), Counts(eligible=10, bad=10)
    buckets = [Bucket(start_s=two + day_s, counts=out) for day_s in (0, 86_400)]
    buckets += [Bucket(start_s=two + day_s + HOUR_S, counts=kept) for day_s in (0, 86_400)]
    put(writer, of, sorted(buckets, key=lambda bucket: bucket.start_s))
    time = agreed("adjuster-calendar", two, two + HOUR_S, repeat=repeat("FREQ=DAILY"))
    key = key_of("adjuster-calendar")
    windows = {key: {AT_S - since_s: in_window(buckets, AT_S, AT_S - since_s)}}

    assert datetime.fromtimestamp(since_s, UTC).hour == 0
    assert Adjuster(reader, [of], lambda: (time,)).budgets(sight(windows)) == {key: occurrences(20, 2, TARGET)}


def test_what_is_over_is_asked_once_and_what_goes_on_each_time(reader: Store, writer: Store) -> None:
    of = one("adjuster-asks")
    put(writer, of, history("asks"))
    key = key_of("adjuster-asks")
    store, windows = Noted(reader), {key: {PERIOD_S: Counts(eligible=10**6)}}
    over = agreed("adjuster-asks", AT_S - SETTLED_S - 600, AT_S - SETTLED_S)
    going = agreed("adjuster-asks", AT_S - 60, AT_S + 60)
    times: list[Agreed] = [over]
    adjuster = Adjuster(store, [of], lambda: tuple(times))  # type: ignore[arg-type]  # it asks, and nothing else
    first = adjuster.budgets(sight(windows))
    asked = [store.asked]
    again = adjuster.budgets(sight(windows, AT_S + 30))
    asked.append(store.asked)
    times.append(going)
    for at_s in (AT_S, AT_S + 30):
        adjuster.budgets(sight(windows, at_s))
        asked.append(store.asked)
    times.clear()

    assert asked == [1, 1, 2, 3]
    assert first == again
    assert adjuster.budgets(sight(windows)) == {}
    assert store.asked == 3


def test_of_a_long_time_only_the_chunk_at_the_edge_is_asked_for_again(reader: Store, writer: Store) -> None:
    of = one("adjuster-chunks")
    put(writer, of, history("chunks"))
    key, edge_s = key_of("adjuster-chunks"), AT_S - PERIOD_S
    time = agreed("adjuster-chunks", edge_s - HOUR_S, AT_S - SETTLED_S)
    chunks = {at_s // CHUNK_S for at_s in range(edge_s, AT_S - SETTLED_S, 30)}
    store, windows = Noted(reader), {key: {PERIOD_S: in_window(history("chunks"), AT_S, PERIOD_S)}}
    adjuster = Adjuster(store, [of], lambda: (time,))  # type: ignore[arg-type]  # it asks, and nothing else
    (left,) = adjuster.budgets(sight(windows)).values()
    asked = [store.asked]
    adjuster.budgets(sight(windows, AT_S + 30))
    asked.append(store.asked)

    assert len(chunks) > 1
    assert asked == [len(chunks), len(chunks) + 1]
    assert left == reference(of.objective, history("chunks"), list(spans(time, edge_s, AT_S)))


def test_what_is_still_being_counted_is_asked_for_until_it_is(reader: Store, writer: Store) -> None:
    """The past is counted backward beside the present; a time that is counted in part is not remembered."""
    of = one("adjuster-history")
    key, start_s = key_of("adjuster-history"), AT_S - SETTLED_S - 600
    time = agreed("adjuster-history", start_s, start_s + 600)
    store, windows = Noted(reader), {key: {PERIOD_S: Counts(eligible=100, bad=10)}}
    adjuster = Adjuster(store, [of], lambda: (time,))  # type: ignore[arg-type]  # it asks, and nothing else
    (before,) = adjuster.budgets(sight(windows, since_s={"adjuster-history": start_s + 30})).values()
    adjuster.budgets(sight(windows, behind=frozenset({"adjuster-history"})))
    put(writer, of, [Bucket(start_s=start_s, counts=Counts(eligible=10, bad=10))])
    (after,) = adjuster.budgets(sight(windows)).values()
    adjuster.budgets(sight(windows))

    assert (before, after) == (occurrences(100, 10, TARGET), occurrences(90, 0, TARGET))
    assert store.asked == 3


def test_groups_that_stand_for_several_have_no_budget_of_their_own(reader: Store) -> None:
    of, key = one("adjuster-wider"), key_of("adjuster-wider")
    time = agreed("adjuster-wider", AT_S - 600, AT_S)
    seen = sight({key: {PERIOD_S: Counts(eligible=100, bad=10)}}, wider=frozenset({key}))

    assert Adjuster(reader, [of], lambda: (time,)).budgets(seen) == {}


def test_slices_are_made_again_every_few_minutes_and_when_something_is_agreed(reader: Store, writer: Store) -> None:
    of = one("adjuster-slow", **METHODS["timeslices"])
    put(writer, of, history("slow"))
    key = key_of("adjuster-slow")
    store, windows = Noted(reader), {key: {PERIOD_S: Counts()}}
    times = [agreed("adjuster-slow", AT_S - 4 * HOUR_S, AT_S - 3 * HOUR_S)]
    adjuster = Adjuster(store, [of], lambda: tuple(times))  # type: ignore[arg-type]  # it asks, and nothing else
    asked: list[int] = []
    for at_s in (AT_S, AT_S + SLICED_EVERY_S - 30, AT_S + SLICED_EVERY_S):
        adjuster.budgets(sight(windows, at_s))
        asked.append(store.asked)
    times.append(agreed("adjuster-slow", AT_S - 2 * HOUR_S, AT_S - HOUR_S))
    adjuster.budgets(sight(windows, AT_S + SLICED_EVERY_S + 30))

    assert asked == [2, 2, 4]
    assert store.asked == 4 + 3


def test_a_time_that_is_taken_out_of_slices_is_asked_for_once_for_all_groups(reader: Store, writer: Store) -> None:
    """One for the slices and one for each time, be it of one group or of all three."""
    of = one("adjuster-many", **METHODS["timeslices"])
    name, groups = of.objective.name, [f'{{"endpoint":"{end}"}}' for end in "abc"]
    histories = {key_of(name, group): history(group) for group in groups}
    for (_, group), buckets in histories.items():
        put(writer, of, buckets, group)
    only = (Matcher(name="endpoint", op=MatchOp.EQUAL, value="b"),)
    every = agreed(name, AT_S - 2 * HOUR_S, AT_S - HOUR_S, 40)
    own = agreed(name, AT_S - 5 * HOUR_S, AT_S - 5 * HOUR_S + 600, matchers=only)
    store = Noted(reader)
    adjuster = Adjuster(store, [of], lambda: (every, own))  # type: ignore[arg-type]  # it asks, and nothing else
    found = adjuster.budgets(sight({key: {PERIOD_S: Counts()} for key in histories}))
    wanted = {
        key: reference(
            of.objective,
            buckets,
            [span for time in ((every, own) if '"b"' in key[1] else (every,)) for span in spans(time, 0, AT_S)],
        )
        for key, buckets in histories.items()
    }

    assert found == wanted
    assert store.asked == 1 + 2


def test_slices_that_could_not_be_asked_for_are_not_asked_again_at_once(reader: Store) -> None:
    of = one("adjuster-fails", **METHODS["timeslices"])
    key = key_of("adjuster-fails")
    store = Failing(reader)
    time = agreed("adjuster-fails", AT_S - HOUR_S, AT_S - 1_800)
    adjuster = Adjuster(store, [of], lambda: (time,))  # type: ignore[arg-type]  # it asks, and nothing else
    with pytest.raises(StoreError):
        adjuster.budgets(sight({key: {PERIOD_S: Counts()}}))
    again = adjuster.budgets(sight({key: {PERIOD_S: Counts()}}, AT_S + 30))

    assert (again, store.asked) == ({}, 1)


def test_each_group_has_its_own_time(reader: Store, writer: Store) -> None:
    of = one("adjuster-groups")
    bad = [Bucket(start_s=AT_S - HOUR_S, counts=Counts(eligible=10, bad=10))]
    groups = ('{"endpoint":"a"}', '{"endpoint":"b"}')
    for group in groups:
        put(writer, of, bad, group)
    keys = [key_of("adjuster-groups", group) for group in groups]
    windows = {key: {PERIOD_S: Counts(eligible=20, bad=10)} for key in keys}
    only = (Matcher(name="endpoint", op=MatchOp.EQUAL, value="b"),)
    time = agreed("x", AT_S - HOUR_S, AT_S - HOUR_S + 1, matchers=only)

    assert Adjuster(reader, [of], lambda: (time,)).budgets(sight(windows)) == {keys[1]: occurrences(10, 0, TARGET)}


def test_counts_that_are_late_in_one_answer_make_no_budget_that_cannot_be(reader: Store, writer: Store) -> None:
    of = one("adjuster-late")
    put(writer, of, [Bucket(start_s=AT_S - 600, counts=Counts(eligible=50, bad=40))])
    key = key_of("adjuster-late")
    time = agreed("adjuster-late", AT_S - 600, AT_S)
    for whole in (Counts(eligible=40, bad=30), Counts(eligible=60, bad=60)):
        (left,) = Adjuster(reader, [of], lambda: (time,)).budgets(sight({key: {PERIOD_S: whole}})).values()

        assert left.sli is None or 0 <= left.sli <= 1


def test_time_in_which_nobody_looked_counts_as_bad_if_the_objective_says_so_and_it_is_not_taken_out(
    reader: Store, writer: Store
) -> None:
    """By hand: 8 h expect 28,800 requests, one a second; blind for 600 s, of which half of 300 s are taken out: 450."""
    of = one("adjuster-blind", blind_policy=BlindPolicy.COUNT_BAD)
    put(writer, of, [Bucket(start_s=AT_S - HOUR_S, counts=Counts(eligible=10, bad=10))])
    key = key_of("adjuster-blind")
    times = (
        agreed("adjuster-blind", AT_S - HOUR_S, AT_S - HOUR_S + 30),
        agreed("adjuster-blind", AT_S - 600, AT_S - 300, 50),
    )
    spans = (Blind(start_s=AT_S - 600, end_s=AT_S, cause=BlindCause.COLLECTOR),)
    seen = sight(
        {key: {PERIOD_S: Counts(eligible=1_010, bad=10)}},
        expected={key: 28_800.0},
        blind=unseen(*spans),
    )

    assert Adjuster(reader, [of], lambda: times).budgets(seen) == {key: occurrences(1_450, 450, TARGET)}


def test_a_slice_that_nobody_saw_is_not_judged(reader: Store, writer: Store) -> None:
    of = one("adjuster-blind-slices", **METHODS["timeslices"])
    put(writer, of, [Bucket(start_s=AT_S - PERIOD_S, counts=Counts(eligible=10, bad=10))])
    key = key_of("adjuster-blind-slices")
    time = agreed("adjuster-blind-slices", AT_S - PERIOD_S, AT_S - PERIOD_S + 120)
    spans = (Blind(start_s=AT_S - PERIOD_S + 120, end_s=AT_S - PERIOD_S + 600, cause=BlindCause.STORE),)
    seen = sight({key: {PERIOD_S: Counts(eligible=10, bad=10)}}, blind=unseen(*spans))
    (left,) = Adjuster(reader, [of], lambda: (time,)).budgets(seen).values()

    assert (left.judged, left.bad, left.blind) == (PERIOD_S / 120 - 5, 0, 4)


def test_a_selector_may_name_slo_service_group_and_labels() -> None:
    of = replace(objective("chat"), labels={"team": ("a",), "tags": ("x", "y")})

    assert labels_of(of, {"endpoint": "e"}) == {"team": "a", "endpoint": "e", "slo": "chat", "service": "chat"}
