"""Following a target: the acceptance cases of hints (spec/scaling.md, A2 to A9)."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from scaling_rig import KNOWN, LATER, SETTINGS, T0, TEST, Follower, Grown, changed, codes, observed, reasons

from slo.scaling.codes import Action, Level, Mode, Reason, Veto
from slo.scaling.fold import advance, instant_s
from slo.scaling.hint import encoded
from slo.scaling.schedule import schedule
from slo.scaling.settings import Freeze, Known
from slo.scaling.state import State
from slo.scaling.verdicts import Bursts


def test_the_hint_of_the_specification() -> None:
    # A3: spec 4, ready 3, warming 1, 11.4 rps with a headroom of 1.24 at 2.6 rps goodput
    follower = Follower(state=State(headroom=1.24))
    first = follower.see(observed(spec=4, warming=1, arrivals_rps=11.4, held=93))
    second = follower.see(observed(T0 + 15, spec=6, warming=3, arrivals_rps=11.4, held=93))

    assert ("5.44", 6, Action.SCALE_UP) == (f"{first.replicas.raw:.3g}", first.replicas.desired, first.action)
    assert (6, Action.HOLD) == (second.replicas.desired, second.action), "those that warm up count"
    assert first.reasons[0].binding
    assert Reason.CAPACITY_NOW is first.reasons[0].code
    assert Reason.COLD_START_IN_PROGRESS in reasons(first)
    assert (32.0, 48.0) == (first.impact.usd_per_h_now, first.impact.usd_per_h_desired)


def test_a_constant_load_on_two_replicas_takes_none_away_for_a_day() -> None:
    # A4: n 2, GPU 60 %, load 0.5
    follower = Follower(replace(SETTINGS, replicas_min=1))
    hints = follower.obey(range(T0, T0 + 86_400, 120), 2, arrivals_rps=2 * 2.6 * 0.5 / 0.85)

    assert {(Action.HOLD, 2)} == {(hint.action, hint.replicas.desired) for hint in hints}
    assert {Veto.GPU_BAND, Veto.RHO_AFTER} <= codes(hints[-1])
    assert 0 == hints[-1].cooldown.reversals_1h


def test_six_replicas_at_60_per_cent_lose_one_after_two_leads_of_quiet() -> None:
    follower = Follower()
    held = follower.watch(T0, T0 + 1_080, spec=6, arrivals_rps=6.0)
    first = follower.see(observed(T0 + 1_080, spec=6, arrivals_rps=6.0))
    after = follower.see(observed(T0 + 1_095, spec=5, arrivals_rps=6.0, each={"gpu_util_ratio": 0.59}))

    assert (Action.HOLD, {Veto.COOLDOWN}) == (held.action, codes(held))
    assert (Action.SCALE_DOWN, 5, Reason.CONSOLIDATION) == (first.action, first.replicas.desired, reasons(first)[0])
    assert (Action.HOLD, {Veto.COOLDOWN}) == (after.action, codes(after)), "one in two minutes"
    assert "2026-07-15T10:30:15Z" == after.cooldown.down_until


def test_a_removal_that_is_not_carried_out_is_still_asked_for() -> None:
    hint = Follower().watch(T0, LATER + 600, spec=6, arrivals_rps=6.0)

    assert (Action.SCALE_DOWN, 5) == (hint.action, hint.replicas.desired)


def test_one_long_prompt_is_left_out_and_one_in_twenty_makes_it_infeasible() -> None:
    # A5
    few = Follower().see(observed(prompts=((1_024, 9_999), (18_432, 0), (20_480, 1))))
    many = Follower().see(observed(prompts=((1_024, 9_500), (18_432, 0), (20_480, 500)), arrivals_rps=60.0))

    assert Action.HOLD is few.action
    assert (Action.INFEASIBLE, 4, Reason.INFEASIBLE_PREFILL) == (many.action, many.replicas.desired, reasons(many)[0])
    assert many.reasons[0].text == (
        "5.0% of prompts have more than 18432 tokens, which alone take 2.0 s or longer; "
        "shorter prompts or faster prefill, not replicas"
    )


def test_a_step_that_is_too_slow_when_empty_is_infeasible() -> None:
    hint = Follower(replace(SETTINGS, itl_s=0.029)).see(observed(arrivals_rps=60.0))

    assert (Action.INFEASIBLE, Reason.INFEASIBLE_DECODE) == (hint.action, reasons(hint)[0])
    assert "an empty step takes longer than 0.029 s" in hint.reasons[0].text


def test_a_scheduled_peak_is_asked_for_in_time_and_nothing_is_taken_before_it() -> None:
    # A6: 14:00 in New York is 18:00Z in July; P90 of nine minutes: from 17:45Z on.
    peak = schedule("weekday-peak", "0 14 * * 1-5", "America/New_York", 3_600, expected_rps=14.1)
    at_s = T0 + 27_000 + 300  # 17:45Z
    follower = Follower(replace(SETTINGS, schedules=(peak,)), state=State(headroom=1.24))
    quiet = follower.watch(at_s - 1_800, at_s - 540, spec=6, arrivals_rps=6.0)
    near = follower.watch(at_s - 540, at_s, spec=6, arrivals_rps=6.0)
    begun = follower.see(observed(at_s, spec=6, arrivals_rps=6.0))

    assert Action.SCALE_DOWN is quiet.action
    assert (Action.HOLD, {Veto.SCHEDULE_AHEAD}) == (near.action, codes(near))
    assert (Action.SCALE_UP, 7, Reason.SCHEDULE) == (begun.action, begun.replicas.desired, reasons(begun)[0])
    assert begun.forecast.schedule is not None
    assert ("2026-07-15T18:00:00Z", "2026-07-15T17:45:00Z") == (
        begun.forecast.schedule.peak_at,
        begun.forecast.schedule.pre_scale_at,
    )


def test_a_schedule_that_names_replicas() -> None:
    peak = schedule("noon", "10 10 * * *", "UTC", 3_600, replicas_min=8)
    hint = Follower(replace(SETTINGS, schedules=(peak,))).see(observed())

    assert (8, Reason.SCHEDULE) == (hint.replicas.desired, reasons(hint)[0])


def test_of_two_reasons_of_one_kind_one_binds() -> None:
    rate = schedule("rate", "10 10 * * *", "UTC", 3_600, expected_rps=14.1)
    count = schedule("count", "10 10 * * *", "UTC", 3_600, replicas_min=8)
    hint = Follower(replace(SETTINGS, schedules=(rate, count))).see(observed())

    assert [8] == [one.wants for one in hint.reasons if one.binding]


def test_busy_gpus_alone_ask_for_nothing_and_keep_nothing() -> None:
    # A8
    pinned = {"gpu_util_ratio": 0.95}
    hint = Follower().watch(T0, T0 + 900, each=pinned, arrivals_rps=4 * 2.6 * 0.3 / 0.85)

    assert (Action.HOLD, "pinned", "tight") == (hint.action, hint.gpu.label, hint.gpu.band)
    assert Veto.GPU_BAND not in codes(hint)
    assert Action.SCALE_DOWN is Follower().watch(T0, LATER, each=pinned, arrivals_rps=4 * 2.6 * 0.3 / 0.85).action


def test_what_a_step_cuts_short_is_asked_for_a_minute_later() -> None:
    follower = Follower(replace(SETTINGS, replicas_max=40))
    first = follower.see(observed(spec=4, arrivals_rps=40.0))
    later = follower.watch(T0 + 15, T0 + 90, spec=8, warming=4, arrivals_rps=1.0)

    assert (8, ("step",)) == (first.replicas.desired, first.replicas.bounded_by)
    assert 16 == later.replicas.desired, "20 are wanted, and 8 more a minute are allowed"
    assert 8 == follower.watch(T0 + 90, T0 + 120, spec=8, warming=4, arrivals_rps=1.0).replicas.desired


def test_more_than_was_expected_is_no_miss_where_replicas_carry_it() -> None:
    quiet = Follower()
    quiet.watch(T0, T0 + 600, spec=8, arrivals_rps=1.0)
    before = quiet.state.headroom
    quiet.watch(T0 + 615, T0 + 1_200, spec=8, arrivals_rps=10.0)

    assert before > quiet.state.headroom, "8 replicas carry 20.8"


def test_late_tails_ask_for_as_many_as_the_peak_could_need() -> None:
    late: dict[str, Any] = {"ttft_p90_s": 60.0, "arrivals_rps": 7.0}
    hint = Follower().watch(T0, T0 + 15, spec=4, **late)

    wants = {one.code: one.wants for one in hint.reasons}
    assert 5 == wants[Reason.SLO_RATIO], "7 rps at 0.7 of 2.6 rps are 3.8, and one more than there are"
    assert (
        4
        == {one.code: one.wants for one in Follower().see(observed(spec=4, warming=1, **late)).reasons}[
            Reason.SLO_RATIO
        ]
    ), "while one warms up, no more"


def test_idle_gpus_hide_no_saturation() -> None:
    # A8
    hint = Follower().see(observed(each={"gpu_util_ratio": 0.60}, arrivals_rps=4 * 2.6 * 0.9 / 0.85))

    assert (Action.SCALE_UP, Reason.CAPACITY_NOW) == (hint.action, reasons(hint)[0])
    assert "hidden_saturation" == hint.gpu.label


def test_busy_gpus_with_a_witness_ask_for_one_more() -> None:
    busy = {"gpu_util_ratio": 0.8, "kv_used_ratio": 0.6}
    hint = Follower().watch(T0, T0 + 315, each=busy, arrivals_rps=5.0)

    assert (Action.SCALE_UP, 5, Reason.GPU_BUSY) == (hint.action, hint.replicas.desired, reasons(hint)[0])


def test_two_replicas_of_the_service_answer_the_same_bytes_and_a_restart_changes_nothing() -> None:
    # A9
    looks = [observed(T0 + 15 * number, spec=6, arrivals_rps=6.0 + number % 7) for number in range(120)]
    one, other = Follower(), Follower()
    for number, look in enumerate(looks):
        if number == 60:  # the other one is killed, and reads what it stored
            other.state = msgspec.json.decode(msgspec.json.encode(other.state), type=State)

        assert encoded(one.see(look)) == encoded(other.see(look))
    assert one.state == other.state


def test_the_number_is_that_of_the_instant_at_which_it_last_said_something_else() -> None:
    follower = Follower()
    hints = [follower.see(observed(T0 + 15 * number)) for number in range(4)]
    more = follower.see(observed(T0 + 60, arrivals_rps=20.0))
    still = follower.see(observed(T0 + 75, arrivals_rps=20.1))

    assert [0, 0, 0, 0] == [hint.seq for hint in hints]
    assert len({hint.id for hint in hints}) == 1
    assert ["2026-07-15T10:10:00Z"] * 4 == [hint.issued_at for hint in hints]
    assert hints[0].expires_at < hints[3].expires_at
    assert (4, 4) == (more.seq, still.seq)
    assert more.id == still.id != hints[0].id


def test_what_is_too_old_teaches_nothing() -> None:
    follower = Follower(known=changed(KNOWN, speed_ratio=0.8))
    follower.see(observed(arrivals_rps=11.4))
    taught = follower.state
    follower.see(observed(T0 + 15, arrivals_rps=11.4, age_s=61.0))

    assert (taught.correction, taught.forecasts) == (follower.state.correction, follower.state.forecasts)
    assert taught.correction < 1


def test_an_instant_comes_once() -> None:
    assert T0 == instant_s(T0 + 14.9)
    state, _ = advance(State(), SETTINGS, KNOWN, observed(T0))

    with pytest.raises(ValueError, match="is not after"):
        advance(state, SETTINGS, KNOWN, observed(T0 + 14.9))


# A person's word, and other scalers.


def test_a_frozen_target_stays_as_it_is_until_it_is_not() -> None:
    frozen = changed(KNOWN, freeze=Freeze(until_s=T0 + 15, who="ann", reason="migration"))
    follower = Follower(known=frozen)
    first, second = follower.see(observed(arrivals_rps=20.0)), follower.see(observed(T0 + 15, arrivals_rps=20.0))

    assert (Action.FROZEN, Mode.FROZEN, 4) == (first.action, first.mode, first.replicas.desired)
    assert ("ann: migration", Reason.FROZEN_BY_USER) == (first.vetoes[0].text, reasons(first)[0])
    assert Action.SCALE_UP is second.action


def test_a_number_that_a_person_set_is_adopted_and_one_that_keeps_changing_is_a_second_scaler() -> None:
    follower = Follower(replace(SETTINGS, replicas_min=1))
    seen = [(T0, 4), (T0 + 15, 5), (T0 + 30, 4), (T0 + 45, 5)]
    hints = [follower.see(observed(at_s, spec=spec)) for at_s, spec in seen]

    assert [4, 5, 4, 5] == [hint.replicas.desired for hint in hints]
    assert (3, False) == (len(follower.state.foreign), follower.state.second_scaler)

    follower.see(observed(T0 + 60, spec=4))

    assert follower.state.second_scaler


def test_a_policy_that_keeps_capacity_takes_nothing_away() -> None:
    hint = Follower(known=changed(KNOWN, budget_kept=True)).watch(T0, LATER, spec=6, arrivals_rps=6.0)

    assert Action.HOLD is hint.action
    assert Veto.BUDGET_LOW in codes(hint)
    assert Reason.FROZEN_BY_BUDGET in reasons(hint)


def test_little_trust_takes_nothing_away_and_follows_no_forecast() -> None:
    weak = Known(load_test=replace(TEST, age_days=91), shape=Grown())
    follower = Follower(known=weak, state=State(held=(False,) * 40))
    hint = follower.watch(T0, LATER, spec=6, arrivals_rps=6.5)

    assert (Level.LOW, Action.HOLD) == (hint.confidence.level, hint.action)
    assert Veto.LOW_CONFIDENCE in codes(hint)
    assert Reason.CAPACITY_FORECAST in reasons(hint)


# Bounds, steps, reversals, zero.


def test_bounds_and_their_reasons() -> None:
    above = Follower().see(observed(spec=11, arrivals_rps=60.0))
    at = Follower().see(observed(spec=12, arrivals_rps=60.0))
    below = Follower(replace(SETTINGS, replicas_min=3)).see(observed(spec=2, arrivals_rps=1.0))
    over = Follower(replace(SETTINGS, replicas_max=3)).see(observed(spec=4, arrivals_rps=1.0))

    assert (12, ("max",)) == (above.replicas.desired, above.replicas.bounded_by)
    assert Reason.MAX_BOUND in reasons(above)
    assert (12, Action.HOLD, Reason.MAX_BOUND) == (at.replicas.desired, at.action, reasons(at)[0])
    assert (3, Action.SCALE_UP, ("min",)) == (below.replicas.desired, below.action, below.replicas.bounded_by)
    assert Reason.MIN_BOUND is next(one.code for one in below.reasons if one.binding)
    assert (3, Action.SCALE_DOWN) == (over.replicas.desired, over.action)
    assert Reason.MAX_BOUND is next(one.code for one in over.reasons if one.binding)


def test_at_most_as_many_again_or_four_come_in_a_minute() -> None:
    follower = Follower(replace(SETTINGS, replicas_max=100))
    hints = follower.obey(range(T0, T0 + 90, 15), 2, arrivals_rps=100.0)

    assert [6, 6, 6, 6, 6, 12] == [hint.replicas.desired for hint in hints]
    assert ("step",) == hints[0].replicas.bounded_by
    assert "2026-07-15T10:11:00Z" == hints[0].cooldown.up_until


def test_reversals_lengthen_quiet_and_at_four_an_hour_nothing_is_taken_away() -> None:
    turns = (T0 - 60, T0 - 45, T0 - 30, T0 - 15)
    one = Follower(state=State(turns=turns[:1])).watch(T0, LATER, spec=6, arrivals_rps=6.0)
    four = Follower(state=State(turns=turns, quiet_since_s=T0 - 90_000)).watch(T0, T0 + 15, spec=6, arrivals_rps=6.0)
    more = Follower(state=State(turns=turns)).see(observed(spec=6, arrivals_rps=20.0))

    assert (Action.HOLD, {Veto.COOLDOWN}) == (one.action, codes(one)), "36 minutes instead of 18"
    assert ({Veto.REVERSAL_LIMIT}, 4) == (codes(four), four.cooldown.reversals_1h)
    assert Action.SCALE_UP is more.action


IDLE = {"arrivals_rps": 0.0, "ttft_p90_s": None, "tpot_p90_s": None, "each": {"running": 0, "gpu_util_ratio": 0.0}}
SMALL = replace(SETTINGS, replicas_min=0, zero_allowed=True)
CHEAP = changed(KNOWN, gap_s=36_000.0, cold_penalty_usd=1.0)


def test_an_idle_target_is_emptied_where_that_is_allowed_and_cheaper() -> None:
    emptied = Follower(SMALL, CHEAP).watch(T0, LATER, spec=1, **IDLE)
    dear = Follower(SMALL, changed(CHEAP, cold_penalty_usd=1e6)).watch(T0, LATER, spec=1, **IDLE)
    kept = Follower(replace(SMALL, zero_allowed=False), CHEAP).watch(T0, LATER, spec=1, **IDLE)
    loading = Follower(SMALL, CHEAP).watch(T0, LATER, spec=1, warming=1, **IDLE)
    woken = Follower(SMALL, CHEAP, State(woke_at_s=LATER - 600)).watch(T0, LATER, spec=1, **IDLE)

    assert (Action.TO_ZERO, 0, Reason.IDLE) == (emptied.action, emptied.replicas.desired, emptied.reasons[0].code)
    assert {1} == {hint.replicas.desired for hint in (dear, kept, loading, woken)}
    assert Veto.WARMING in codes(loading)
    assert {Veto.COOLDOWN} == codes(woken)


def test_an_empty_target_is_woken_by_whoever_waits() -> None:
    asleep = Follower(SMALL).see(observed(spec=0, arrivals_rps=0.0))
    woken = Follower(SMALL).see(observed(spec=0, arrivals_rps=0.0, held=3))
    busy = Follower(SMALL).see(observed(spec=0, arrivals_rps=9.0, held=30))

    assert (Action.HOLD, 0) == (asleep.action, asleep.replicas.desired)
    assert (Action.ACTIVATE, 1, Reason.ACTIVATION) == (woken.action, woken.replicas.desired, reasons(woken)[0])
    assert (Action.ACTIVATE, 4) == (busy.action, busy.replicas.desired), "at most four come in a minute"


def test_bursts_that_cannot_be_followed_are_said_and_not_chased() -> None:
    bursts = Bursts(peak_1s_rps=66.8, mean_rps=2.57, length_s=60.0, p99_1m_rps=10.5)
    hint = Follower(known=changed(KNOWN, bursts=bursts)).see(observed(arrivals_rps=2.57))
    (said,) = [one for one in hint.reasons if one.code is Reason.BURST_UNFOLLOWABLE]

    assert (Action.HOLD, 5, False) == (hint.action, said.wants, said.binding)
    assert "a replica takes 540 s: hold a floor of 5, $29200 a month, or queue" in said.text


def test_a_replica_that_failed_to_start_is_asked_for_again() -> None:
    follower = Follower(state=State(headroom=1.24))
    follower.see(observed(spec=4, arrivals_rps=11.4, cold_start_p90_s=None))
    follower.see(observed(T0 + 15, spec=5, warming=1, arrivals_rps=11.4, cold_start_p90_s=None))
    follower.see(observed(T0 + 115, spec=5, arrivals_rps=11.4, cold_start_p90_s=None))  # 100 s: fails after 300 s
    follower.see(observed(T0 + 130, spec=6, warming=1, arrivals_rps=11.4, cold_start_p90_s=None))
    hint = follower.watch(T0 + 145, T0 + 460, spec=6, warming=1, arrivals_rps=11.4, cold_start_p90_s=None)

    assert (Action.SCALE_UP, 7) == (hint.action, hint.replicas.desired)
    assert "p90 of last 1 cold starts" == hint.forecast.lead_basis
