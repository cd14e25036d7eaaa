"""Knows how all targets are followed, instant by instant, in one thread; refuses to know who asks for hints.

    ask what was decided last   of the store, or of our own file where that is newer
    decide what is due          from four answers, once for all targets
    write it, and read it back  of replicas that decide the same instant the first one's word is everybody's
    keep it in our own file     then it survives this process, and the store
    publish it

Nothing is published that is not kept, so nothing that was heard is denied after a restart. An instant is asked about a
few seconds after it, when its rows have arrived; one that was missed is not made up for. A store that does not answer
is asked again at the next look.

Of replicas the first one's word is everybody's, so none may speak before its time: where no collector was heard lately
either they are silent or our clock is ahead, and the store's own clock tells which. The wall clock may go back: nothing
is due until it is there again. But if it was ahead before, and so all it decided then lies in the future, that is
forgotten: the store's clock agrees with ours now, and nobody decided these instants before.

Source: spec/scaling.md 1 (pure fold, replayed after a restart), 3, 5 (tick of 15 s); spec/slo.md 8.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import msgspec

from slo.hints_acts import HintActs
from slo.hints_book import KEPT_S, HintBook, Kept, kept
from slo.hints_past import Habits, habits
from slo.hints_profile import Tested, load_test_of, speed_ratio
from slo.hints_published import Published
from slo.hints_reader import PAST_EVERY_S, HintReader
from slo.hints_score import LATE_S, Score, due, missed_minutes, score
from slo.hints_sight import Promise, Seen, counted, observation
from slo.hints_spec import REPORT_S, replicas, spec
from slo.hints_starts import HintStarts
from slo.hints_target import SCORED_LEAD_S_MAX, Hinted
from slo.ledger import Ledger, Note
from slo.scaling.codes import Action
from slo.scaling.cold_start import ColdStarts
from slo.scaling.fold import advance, instant_s
from slo.scaling.hint import Hint
from slo.scaling.lead import UNMEASURED_S, Lead
from slo.scaling.settings import Known
from slo.scaling.state import State
from telemetry.errors import StoreError
from telemetry.scaling import Observation

LAG_S = 4.0
"""How long after an instant it is asked about: heartbeats and scrapes take a second or two to the store."""
WARM_S = 120.0
"""A replica is warm after so long; what it does before says nothing of its speed."""
SCORE_EVERY_S = 300
"""How often hints are scored that are a lead old: the question reads all that was said within the longest lead."""
SILENT_S = 30.0
"""Without a heartbeat for so long, the store's clock is asked whether ours is right."""
BACK_S = 60
"""A clock that goes back by more than that was wrong, before or after."""
_LOOK_BACK_S = 3_600
_KIND = "hint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What the rest of the service knows of targets.

    Attributes:
        promise: Returns how the objective of a target stands.
        budget_kept: Returns whether its budget asks that no capacity is taken away.
    """

    promise: Callable[[Hinted], Promise] = lambda _: Promise()
    budget_kept: Callable[[Hinted], bool] = lambda _: False


class _Note(msgspec.Struct, frozen=True):
    """What our own file holds of a target."""

    at_s: int
    state: State
    payload: str


class HintLoop:
    """Follows targets; used by one thread.

    Args:
        targets: The targets.
        reader: Asks what is seen.
        book: Keeps what is decided.
        acts: What people and programs did.
        starts: Keeps how long replicas take.
        ledger: Our own file.
        published: Where hints are read.
        word: What the rest of the service knows.
    """

    def __init__(  # noqa: PLR0913 -- one for each thing that it joins
        self,
        targets: Sequence[Hinted],
        *,
        reader: HintReader,
        book: HintBook,
        acts: HintActs,
        starts: HintStarts,
        ledger: Ledger,
        published: Published,
        word: Word = Word(),
    ) -> None:
        self._targets = {one.name: one for one in targets}
        self._reader, self._book, self._acts, self._ledger = reader, book, acts, ledger
        self._starts = starts
        self._published, self._word = published, word
        self._kept: dict[str, Kept] = {
            note.name: Kept(at_s=one.at_s, state=one.state, payload=one.payload)
            for note in ledger.notes(_KIND)
            if note.name in self._targets and (one := _read(note)) is not None
        }
        published.publish(self._kept)
        self._past_s: int | None = None
        self._habits: Mapping[str, Habits] = {}
        self._tested: Mapping[str, Tested | None] = {}
        self._cold: Mapping[str, ColdStarts] = dict[str, ColdStarts]()
        self._begun = False
        self._scored_s = 0
        self._done_s = 0

    def follow(self, targets: Sequence[Hinted]) -> None:
        """Follow other targets from now on; what was decided of those that stay goes on, also of one that comes back.

        A hint that was published holds until the next instant, as it was made.
        """
        self._targets = {one.name: one for one in targets}
        self._kept = {name: one for name, one in self._kept.items() if name in self._targets}
        self._reader.follow(targets)
        self._book.follow([*self._targets])
        self._starts.follow(targets)
        self._published.follow(targets)
        self._past_s, self._begun = None, False

    def fought(self) -> Mapping[str, bool]:
        """Return of each target that was decided whether something else scales it, too; from any thread."""
        return {name: one.state.second_scaler for name, one in self._kept.items()}

    def step(self, wall_unix_s: float) -> bool:
        """Decide the instant that is due; returns whether one was decided or heard of.

        Raises:
            StoreError: The store did not answer; what was published holds until it expires.
            LedgerError: What was decided could not be kept, so it is not published.
        """
        at_s = instant_s(wall_unix_s - LAG_S)
        try:
            self._set_back(at_s)
            if at_s <= self._done_s:
                return False
            self._acts.refresh(int(wall_unix_s))
            is_time = self._tick(at_s)
        except StoreError as error:
            self._published.reached(f"hints: the store does not answer: {error}")
            raise
        self._published.reached()
        if not is_time:
            return False
        self._done_s = at_s
        with suppress(StoreError):  # scores are for people: a hint does not wait for them
            self._score(at_s)
        return True

    def habits(self, name: str) -> Habits | None:
        """Return what the past says of a target; None before it was looked at; from any thread."""
        return self._habits.get(name)

    def slower(self) -> Mapping[str, str]:
        """Return of each target whose starts are known what is to be said of slower ones; from any thread."""
        return {name: "" if one.slower is None else one.slower.text for name, one in self._cold.items()}

    def _set_back(self, at_s: int) -> None:
        """Forget what was decided of the future, if the clock was wrong then and is right now."""
        far_s = at_s + BACK_S
        if max([self._done_s, *(one.at_s for one in self._kept.values())]) <= far_s:
            return
        if self._reader.store_s() > far_s or self._book.last(at_s - BACK_S, at_s):
            return
        self._kept = {name: one for name, one in self._kept.items() if one.at_s <= far_s}
        self._done_s = self._scored_s = 0
        self._past_s, self._begun = None, False

    def _is_ahead(self, seen: Seen) -> bool:
        """Return whether an instant has not come yet, by the store's clock; it is asked where no collector is heard."""
        heard_s = max((int(row["heard_unix_ms"]) / 1000 for row in seen.demand), default=0.0)
        return seen.at_s - heard_s > SILENT_S and seen.at_s > self._reader.store_s()

    def _tick(self, at_s: int) -> bool:
        """Decide what is open of an instant; returns whether it has come."""
        self._catch_up(at_s)
        open_for = {
            name: one for name, one in self._targets.items() if name not in self._kept or self._kept[name].at_s < at_s
        }
        if not open_for:
            return True
        seen = self._reader.seen(at_s)
        if self._is_ahead(seen):
            return False
        decided = self._decided(at_s, open_for, seen)
        if decided:
            self._book.put(decided)
            said = self._book.last(at_s, at_s)
            agreed = {name: said.get(name, one) for name, one in decided.items()}
            self._book.tell(agreed)
            self._take(agreed)
        with suppress(StoreError):  # a start that is not kept now is at the next instant
            self._keep_starts(at_s, seen)
        return True

    def _keep_starts(self, at_s: int, seen: Seen) -> None:
        if self._starts.keep(at_s, {name: one.state for name, one in self._kept.items()}, self._cold, seen):
            self._cold = self._starts.known(at_s)

    def _catch_up(self, at_s: int) -> None:
        """Take over what is newer in the store, and give it what is newer here."""
        since_s = at_s - _LOOK_BACK_S if self._begun else at_s - KEPT_S
        stored = self._book.last(since_s, at_s)
        newer = {name: one for name, one in stored.items() if self._is_news(name, one)}
        if not self._begun:
            for name, one in self._kept.items():
                if name not in newer:  # whoever ended before it had told it, too, is made up for
                    self._book.put({name: one})
                    self._book.tell({name: one})
            self._begun = True
        self._take(newer)

    def _take(self, decided: Mapping[str, Kept]) -> None:
        """Keep what was decided, then publish it."""
        if decided:
            notes = [
                Note(
                    name=name,
                    body=msgspec.json.encode(_Note(at_s=one.at_s, state=one.state, payload=one.payload)),
                )
                for name, one in decided.items()
            ]
            self._ledger.note(_KIND, notes)
            self._kept = {**self._kept, **decided}  # replaced, never changed: others look at it
            self._published.publish(decided)

    def _is_news(self, name: str, one: Kept) -> bool:
        """Return whether the store knows better: a later instant, or another word about the same.

        There may be two words where replicas follow different targets, as while their configuration changes; then the
        one that the store gives is everybody's.
        """
        before = self._kept.get(name)
        return before is None or one.at_s > before.at_s or (one.at_s == before.at_s and one != before)

    def _decided(self, at_s: int, targets: Mapping[str, Hinted], seen: Seen) -> dict[str, Kept]:
        self._look_back(at_s)
        found = {name: self._one(at_s, one, seen) for name, one in targets.items()}
        return {name: one for name, one in found.items() if one is not None}

    def _one(self, at_s: int, one: Hinted, seen: Seen) -> Kept | None:
        """Return what is decided of a target; None if nothing was ever heard of it."""
        before = self._kept.get(one.name)
        state = State() if before is None else before.state
        heard, report = counted(one, seen), self._acts.report(one.name, at_s)
        last = state.specs[-1][1] if state.specs else None
        asked_for = spec(heard, at_s, last, state.desired, report, state.more_since_s)
        if asked_for is None:
            return None
        is_loading = report is not None and at_s - report.at_s <= REPORT_S
        there = replicas(heard, asked_for, is_loading=is_loading)
        starts, basis = self._lead(one, state)
        observed = observation(one, seen, there, self._word.promise(one), starts)
        known = replace(self._known(at_s, one, state, observed), lead_basis=basis)
        return self._said(at_s, one, state, observed, known)

    def _lead(self, one: Hinted, state: State) -> tuple[Lead | None, str]:
        """Return how long a replica takes, and where that comes from: starts here, else those of a load test.

        None where starts here are not kept one by one, or there is neither.
        """
        cold, test = self._cold.get(one.name), self._tested.get(one.name)
        if cold is not None:
            return cold.lead, f"p90 of last {cold.lead.n} cold starts"
        if state.starts.took_s or test is None or test.starts is None:
            return None, ""
        return test.starts, f"p90 of {test.starts.n} cold starts of the load test"

    def _said(self, at_s: int, one: Hinted, state: State, observed: Observation, known: Known) -> Kept:
        """Return what is decided; an ack stays with a hint for as long as it asks for the same."""
        before = self._kept[one.name].hint if one.name in self._kept else None
        ack = None if before is None else self._acts.ack(one.name, before.id, at_s)
        applied = ack.applied if ack is not None else None if before is None else before.ack.applied
        told, hint = advance(state, one.settings, replace(known, acked_replicas=applied), observed)
        if before is not None and applied is not None and _asks(hint) != _asks(before):
            told, hint = advance(state, one.settings, known, observed)
        return kept(at_s, told, hint)

    def _known(self, at_s: int, one: Hinted, state: State, observed: Observation) -> Known:
        habit, test = self._habits.get(one.name), self._tested.get(one.name)
        lead = state.lead(observed)
        lead_s = UNMEASURED_S if lead is None else lead.p90_s
        return Known(
            load_test=None if test is None else test.load_test,
            shape=None if habit is None else habit.shape,
            forecast_error_p95=None if habit is None else habit.error_p95(lead_s),
            speed_ratio=_speed(test, observed),
            bursts=None if habit is None else habit.bursts,
            gap_s=None if habit is None else habit.gap_s,
            cold_penalty_usd=one.cold_penalty_usd,
            freeze=self._acts.freeze(one.name, at_s),
            budget_kept=self._word.budget_kept(one),
            cold_starts=self._cold.get(one.name),
        )

    def _look_back(self, at_s: int) -> None:
        """Look at the past once in a while; a question about it that fails leaves what was known."""
        slot = at_s // PAST_EVERY_S
        if slot == self._past_s:
            return
        with suppress(StoreError):
            past, rows = self._reader.past(at_s), self._reader.profiles(at_s)
            self._habits = {name: habits(one, past) for name, one in self._targets.items()}
            self._tested = {name: load_test_of(one, rows, at_s) for name, one in self._targets.items()}
            self._cold = self._starts.known(at_s)
        self._past_s = slot

    def _score(self, at_s: int) -> None:
        """Judge once in a while the hints that are a lead old."""
        if at_s - self._scored_s < SCORE_EVERY_S:
            return
        since_s = at_s - SCORED_LEAD_S_MAX - LATE_S
        minutes = self._book.minutes(since_s, at_s + 1)
        done = {one.hint_id for one in self._book.scores(at_s - 2 * LATE_S, at_s + LATE_S)}
        open_for = {
            name: [row for row in due(rows, at_s) if row["hint_id"] not in done] for name, rows in minutes.items()
        }
        if any(open_for.values()):
            slos = sorted({one.slo for one in self._targets.values() if one.slo})
            judged = self._book.judged(slos, since_s, at_s // 60 * 60)
            found = [
                self._scored(self._targets[name], row, minutes[name], judged, at_s)
                for name, rows in open_for.items()
                for row in rows
            ]
            self._book.put_scores(found)
        self._scored_s = at_s

    def _scored(
        self,
        one: Hinted,
        row: Mapping[str, object],
        minutes: Sequence[Mapping[str, object]],
        judged: Sequence[Mapping[str, object]],
        at_s: int,
    ) -> Score:
        objective = row["objective"]
        missed = None
        if one.slo and objective is not None:
            missed = missed_minutes(judged, one.slo, float(str(objective)))
        ack = self._acts.ack(one.name, str(row["hint_id"]), at_s)
        gpus = one.settings.target.gpus_per_replica
        return score(row, minutes, at_s, gpus, None if ack is None else ack.applied, missed)


def _asks(of: Hint) -> tuple[Action, int]:
    return of.action, of.replicas.desired


def _speed(test: Tested | None, observed: Observation) -> float | None:
    """Return how fast warm replicas are against the load test; None if unknown, or if two configurations are mixed."""
    if observed.strangers:
        return None
    warm = [one.running for one in observed.replicas if one.ready_for_s >= WARM_S and one.running is not None]
    mean = sum(warm) / len(warm) if warm else None
    ctx = None
    if observed.tokens_in_mean is not None and observed.tokens_out_mean is not None:
        ctx = observed.tokens_in_mean + observed.tokens_out_mean / 2
    return speed_ratio(None if test is None else test.load_test, observed.tpot_p50_s, mean, ctx)


def _read(note: Note) -> _Note | None:
    """Return what our own file holds of a target; None if another version wrote it."""
    try:
        return msgspec.json.decode(note.body, type=_Note)
    except msgspec.MsgspecError:
        return None
