"""Targets that are followed over a real store (spec/scaling.md, acceptance A2, A3, A9)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hints_rig import Clock, Serving, World, aligned, inserted, target, unreachable

from slo.hints_acts import ActKind, HintAct
from slo.scaling.codes import Action, Mode, Reason, Veto
from slo.scaling.cold_start import Phase
from telemetry.clock import wall_ms
from telemetry.errors import StoreUnreachableError
from telemetry.schema.hints import HINT_STATE
from telemetry.store import Store

AT_S = aligned(wall_ms() / 1000) - 3_600
CALM_S, BUSY_S = AT_S + 75, AT_S + 150
"""When four replicas serve 5 rps, and when 14 arrive."""
CALM, PODS, SILENT, STARTING, STEPPED = "loop-calm", "loop-pods", "loop-silent", "loop-starting", "loop-stepped"
NOW_S = AT_S + 3_600 + 1_800
"""What the store's own clock reaches soon; half an hour ahead, so that no slow run of all tests passes it."""
AHEAD_S = NOW_S + 3_600


@pytest.fixture(scope="module", autouse=True)
def filled(process: Any) -> None:  # noqa: ANN401 -- the process of the session
    """What is seen of all targets, inserted once."""
    calm, pods, silent = World(CALM, AT_S), World(PODS, AT_S), World(SILENT, AT_S)
    calm.live(75)
    calm.rps = 14.0
    calm.live(900)
    pods.up.append("r4")
    pods.live(75)
    pods.down.append(pods.up.pop())
    pods.live(30)
    pods.down.clear()
    pods.live(120)
    silent.live(75)
    silent.collects = False
    silent.live(180)
    starting = World(STARTING, AT_S)
    starting.live(135)
    starting.up.append("r4")
    starting.live(120)
    stepped = World(STEPPED, NOW_S - 75)
    stepped.live(75)
    stepped.now_s = AHEAD_S - 75  # where the whole machine was an hour ahead for a while
    stepped.live(75)
    writer = process.store("writer")
    inserted(writer, [calm, pods, silent, starting, stepped])
    writer.close()


class Given:
    """Where a test's services are."""

    def __init__(self, reader: Store, writer: Store, folder: Path) -> None:
        self.reader, self.writer, self.folder = reader, writer, folder

    def service(self, name: str, clock: Clock | None = None, file: str = "a", *, own: str = "") -> Serving:
        """Return a service that follows a target, whose rows are those of the endpoint `name`."""
        one = target(own or name, endpoint=name)
        return Serving(self.reader, self.writer, self.folder / f"{file}.sqlite", [one], clock or Clock(AT_S))


@pytest.fixture
def given(reader: Store, writer: Store, tmp_path: Path) -> Given:
    return Given(reader, writer, tmp_path)


def test_the_hint_rests_on_what_is_in_the_store(given: Given) -> None:
    serving = given.service(CALM, own="loop-whole").at(CALM_S)
    hint = serving.hint("loop-whole")

    assert not serving.step(), "an instant is decided once"
    assert (4, 4, 0) == (hint.replicas.spec, hint.replicas.ready, hint.replicas.warming)
    assert (5.0, 0.0, 32.0) == tuple(hint.signals[name].value for name in ("arrivals_rps", "waiting", "running"))
    assert (1.0, 0.6) == (hint.signals["gpu_util"].coverage, pytest.approx(hint.signals["gpu_util"].value))
    assert ("loadtest:run_0193", 540.0) == (hint.capacity.basis, hint.forecast.lead_s)
    assert hint.capacity.goodput_rps == pytest.approx(2.6, rel=0.01)
    assert (Action.HOLD, 0) == (hint.action, hint.seq)
    more = serving.at(BUSY_S).hint("loop-whole")
    assert (Action.SCALE_UP, 4, 5) == (more.action, more.replicas.spec, more.seq)
    assert more.replicas.desired >= 6


def test_replicas_serve_the_same_bytes_and_a_restart_says_the_same(given: Given) -> None:
    name, clock = "loop-two", Clock(AT_S)
    first, second = given.service(CALM, clock, own=name), given.service(CALM, clock, "b", own=name)
    first.at(CALM_S)
    second.acts.put(act(CALM_S, name, ActKind.REPORT, applied=9))  # what the first one did not know
    second.step()
    assert first.body(name) == second.body(name)

    second.at(BUSY_S)
    first.step()
    body, before = first.body(name), first.hint(name)
    again = given.service(CALM, clock, own=name).at(BUSY_S)
    elsewhere = given.service(CALM, clock, "new", own=name).at(BUSY_S)
    assert {body} == {second.body(name), again.body(name), elsewhere.body(name)}
    again.acts.put(act(BUSY_S, name, ActKind.FREEZE, until_ms=(BUSY_S + 600) * 1000, reason="other"))
    after = again.at(BUSY_S + 30).hint(name)
    assert after.seq > before.seq
    assert after.id != before.id


def test_replicas_that_follow_different_targets_agree_at_the_next_instant(given: Given) -> None:
    name, clock = "loop-apart", Clock(AT_S)
    first = given.service(CALM, clock, own=name).at(CALM_S)
    apart = given.service(CALM, clock, "b", own=name)
    other = first.book.last(CALM_S, CALM_S)[name]
    word = replace(other, payload=other.payload.replace('"seq":0', '"seq":0 '), at_s=other.at_s)
    rows = [(word.at_s * 1000, name, f'{{"hint":{word.payload},"state":{{}}}}')]
    given.writer.insert_rows(HINT_STATE, rows, "apart")  # smaller by its bytes
    apart.at(CALM_S)
    first.at(CALM_S + 15)
    apart.at(CALM_S + 15)

    assert first.body(name) == apart.body(name)


def test_a_store_that_is_gone_leaves_the_last_hint_until_it_expires(
    reader: Store, writer: Store, tmp_path: Path
) -> None:
    name, clock = "loop-gone", Clock(AT_S)
    (gone, asked), (_, told) = unreachable(reader), unreachable(writer)
    serving = Serving(asked, told, tmp_path / "a.sqlite", [target(name, endpoint=CALM)], clock).at(CALM_S)
    body = serving.body(name)
    gone.is_gone = True
    for late_s in (15, 30, 45):
        with pytest.raises(StoreUnreachableError):
            serving.at(CALM_S + late_s)
        assert body == serving.body(name)
    clock.to(CALM_S + 600)
    for one in (serving, Serving(asked, told, tmp_path / "a.sqlite", [target(name, endpoint=CALM)], clock)):
        with pytest.raises(StoreUnreachableError):
            one.body(name)
    gone.is_gone = False
    assert Action.SCALE_UP is serving.at(CALM_S + 615).hint(name).action


def test_silent_collectors_are_no_data_and_never_a_smaller_number(given: Given) -> None:
    serving = given.service(SILENT)
    found = [serving.at(CALM_S + late_s).hint(SILENT) for late_s in (0, 15, 45, 75, 120)]

    assert {4} == {hint.replicas.desired for hint in found}
    assert [Action.HOLD, Action.NO_DATA] == [found[0].action, found[-1].action]
    assert 0.0 == found[-1].confidence.score


def test_an_unready_replica_an_unheard_one_and_a_removed_one(given: Given) -> None:
    serving = given.service(PODS)
    serving.at(CALM_S)
    unready = serving.at(CALM_S + 30).hint(PODS)
    silent = serving.at(CALM_S + 120).hint(PODS)
    serving.acts.put(act(CALM_S + 121, PODS, ActKind.REPORT, applied=4))
    told = serving.at(CALM_S + 135).hint(PODS)

    assert (5, 4, 1, 5) == (
        unready.replicas.spec, unready.replicas.ready, unready.replicas.warming, unready.replicas.desired,
    )  # fmt: skip
    assert (5, Mode.DEGRADED, 5) == (silent.replicas.spec, silent.mode, silent.replicas.desired)
    assert 0.8 == silent.signals["running"].coverage
    assert (4, 4, 1.0) == (told.replicas.spec, told.replicas.ready, told.signals["running"].coverage)


def test_a_freeze_holds_for_every_replica_until_it_is_over(given: Given) -> None:
    name, clock = "loop-freeze", Clock(CALM_S)
    first, second = given.service(CALM, clock, own=name), given.service(CALM, clock, "b", own=name)
    until_ms = (BUSY_S + 40) * 1000
    first.acts.put(act(CALM_S, name, ActKind.FREEZE, until_ms=until_ms, reason="a test"))
    first.at(BUSY_S)
    frozen = second.at(BUSY_S + 15).hint(name)
    after = second.at(BUSY_S + 60).hint(name)

    assert (Action.FROZEN, 4, Mode.FROZEN) == (frozen.action, frozen.replicas.desired, frozen.mode)
    assert (Reason.FROZEN_BY_USER, Veto.FROZEN) == (frozen.reasons[0].code, frozen.vetoes[0].code)
    assert "a test" in frozen.vetoes[0].text
    assert Action.SCALE_UP is after.action


def test_an_ack_is_a_report_and_those_that_warm_up_count(given: Given) -> None:
    name = "loop-ack"
    serving = given.service(CALM, own=name).at(BUSY_S)
    hint = serving.hint(name)
    desired = hint.replicas.desired
    serving.acts.put(act(BUSY_S + 1, name, ActKind.ACK, hint_id=hint.id, applied=desired))
    taken = serving.at(BUSY_S + 15).hint(name)

    assert ("pending", Action.SCALE_UP) == (hint.ack.state, hint.action)
    assert (Action.HOLD, desired, desired - 4) == (taken.action, taken.replicas.spec, taken.replicas.warming)
    assert desired == serving.at(BUSY_S + 60).hint(name).replicas.desired


def test_an_ack_of_a_hint_that_goes_on_stays_with_it(given: Given) -> None:
    name = "loop-held"
    serving = given.service(CALM, own=name).at(CALM_S - 15)
    hint = serving.hint(name)
    serving.acts.put(act(CALM_S - 14, name, ActKind.ACK, hint_id=hint.id, applied=4))
    taken, later = serving.at(CALM_S).hint(name), serving.at(CALM_S + 15).hint(name)

    assert [Action.HOLD] * 2 == [hint.action, taken.action]
    assert ("applied", 4) == (taken.ack.state, taken.ack.applied)
    assert later.action is not taken.action or later.ack == taken.ack


def test_a_clock_that_goes_back_makes_nothing_fresh(given: Given) -> None:
    name, clock = "loop-clock", Clock(AT_S)
    serving = given.service(CALM, clock, own=name).at(CALM_S)
    live = serving.hint(name)
    clock.wall_s -= 1_800
    assert not serving.step()
    again = given.service(CALM, clock, own=name)
    again.step()
    clock.elapsed_s += 61

    for one in (serving, again):
        over = one.hint(name)
        assert (Action.HOLD, Action.NO_DATA) == (live.action, over.action)
        assert live.replicas.spec == over.replicas.desired
    assert Action.SCALE_UP is serving.at(BUSY_S).hint(name).action


def test_a_replica_whose_clock_is_ahead_says_nothing_before_its_time(given: Given) -> None:
    name = "loop-ahead"
    fast, right = given.service(STEPPED, own=name), given.service(STEPPED, file="b", own=name)
    fast.clock.to(NOW_S + 1_800)
    assert not fast.step()
    hint = right.at(NOW_S).hint(name)

    assert {} == right.book.last(NOW_S + 1, NOW_S + 7_200)
    assert (Action.HOLD, 4) == (hint.action, hint.replicas.desired)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_what_a_clock_decided_that_was_ahead_is_forgotten_once_it_is_right(given: Given, is_restarted: bool) -> None:
    name = f"loop-back-{is_restarted}"
    serving = given.service(STEPPED, own=name).at(AHEAD_S)
    assert Action.HOLD is serving.hint(name).action
    serving.clock.wall_s = NOW_S
    again = given.service(STEPPED, Clock(NOW_S), own=name) if is_restarted else serving

    assert again.step(), "an hour is not waited for"
    assert again.book.last(NOW_S, NOW_S).keys() == {name}
    assert Action.HOLD is again.hint(name).action


def test_hints_are_scored_one_lead_later(given: Given) -> None:
    name = "loop-score"
    serving = given.service(CALM, own=name).at(CALM_S)
    first = serving.hint(name)
    for late_s in (300, 540, 600, 885):
        serving.at(CALM_S + late_s)
    scores = {one.hint_id: one for one in serving.book.scores(AT_S, AT_S + 7_200)}

    assert first.id in scores
    assert pytest.approx(14.0) == scores[first.id].demand_actual
    assert (None, None) == (scores[first.id].applied, scores[first.id].slo_missed_minutes)


def test_a_target_that_nobody_ever_heard_of_has_no_hint(given: Given) -> None:
    serving = given.service("loop-never")
    with pytest.raises(StoreUnreachableError, match="not asked yet"):
        serving.published.served("loop-never", AT_S)
    serving.at(CALM_S)

    assert serving.published.served("loop-never", AT_S) is None
    assert serving.published.served("loop-unknown", AT_S) is None
    assert ("loop-never",) == serving.published.names()


def act(at_s: float, name: str, kind: ActKind, **values: Any) -> HintAct:  # noqa: ANN401 -- whatever field it has
    return HintAct(at_ms=round(at_s * 1000), target=name, kind=kind, actor="rig", **values)


def test_other_targets_are_followed_and_those_that_stay_go_on(given: Given) -> None:
    stays, goes, comes = "loop-stays", "loop-goes", "loop-comes"
    clock, targets = Clock(AT_S), [target(name, endpoint=CALM) for name in (stays, goes, comes)]
    serving = Serving(given.reader, given.writer, given.folder / "a.sqlite", targets[:2], clock).at(CALM_S)
    before = serving.hint(stays)
    serving.loop.follow([replace(targets[0], settings=replace(targets[0].settings, replicas_max=5)), targets[2]])
    held = serving.hint(stays)
    gone = serving.published.served(goes, clock.wall_s)
    busy = serving.at(BUSY_S).hint(stays)
    serving.loop.follow(targets)
    back = serving.at(BUSY_S + 15).hint(goes)

    assert (before, None) == (held, gone)
    assert (12, 5, 5) == (before.replicas.max, busy.replicas.max, busy.replicas.desired)
    assert busy.seq > before.seq, "it goes on"
    assert 4 == serving.hint(comes).replicas.spec
    assert back.seq > 0, "it is counted from its first instant on"


def test_a_start_is_measured_from_the_report_that_asks_for_it_and_becomes_the_lead(given: Given) -> None:
    serving = given.service(STARTING)
    before = serving.at(CALM_S).hint(STARTING)
    serving.acts.put(act(CALM_S + 1, STARTING, ActKind.REPORT, applied=5))
    warming = serving.at(AT_S + 90).hint(STARTING)
    serving.at(AT_S + 150)
    serving.at(AT_S + 165)
    after = serving.hint(STARTING)

    assert (540.0, "p90 of 5 cold starts of the load test") == (before.forecast.lead_s, before.forecast.lead_basis)
    assert (1, None) == (warming.replicas.warming, warming.cold_start)
    assert after.cold_start is not None
    ready = after.cold_start.phases[Phase.READY]
    assert (50.0, 1) == (ready.p90_s, ready.n), "asked for at 90 s, answered at 140"
    assert (50.0, "p90 of last 1 cold starts") == (after.forecast.lead_s, after.forecast.lead_basis)
    assert {STARTING: ""} == serving.loop.slower()
