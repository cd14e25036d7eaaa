"""What is asked for: the corners that following a target does not reach."""

from dataclasses import replace
from typing import Any

import pytest
from scaling_rig import KNOWN, SETTINGS, T0, TEST, changed, observed

from slo.scaling.codes import Action, Level, Mode, Reason, Veto
from slo.scaling.decision import STEP_MIN, WAKE_S, Decision, Seen, decided, down_until_s
from slo.scaling.freshness import standing
from slo.scaling.lead import Starts
from slo.scaling.schedule import peaks, schedule
from slo.scaling.settings import Freeze, Known, Settings
from slo.scaling.sizing import Memory, sized
from slo.scaling.state import State
from telemetry.scaling import Observation

CALM = State(quiet_since_s=T0 - 90_000, saturations=((T0, 0.2),), held=(True,) * 100)


def seen(observation: Observation, settings: Settings = SETTINGS, known: Known = KNOWN, state: State = CALM) -> Seen:
    """Return what a decision is made of."""
    near = peaks(settings.schedules, T0, 540)
    memory = Memory(
        lead_s=540,
        headroom=1.24,
        correction=1.0,
        saturation=state.saturation,
        gpu_target=state.busy.target,
        peaks=near,
        at_s=T0,
    )
    return Seen(
        at_s=T0,
        observation=observation,
        settings=settings,
        known=known,
        state=replace(state, specs=((T0, observation.spec),), at_s=T0),
        sizing=sized(observation, settings, known, memory),
        standing=standing(observation.age_s, observation.coverage),
        lead_s=540,
        peaks=near,
    )


def of(known: Known = KNOWN, state: State = CALM, settings: Settings = SETTINGS, **values: Any) -> Decision:  # noqa: ANN401 - whatever field a test changes
    return decided(seen(observed(**values), settings, known, state))


def whole(decision: Decision) -> tuple[Action, int, Reason | None]:
    return decision.action, decision.desired, decision.binding


def bounded(decision: Decision) -> tuple[int, tuple[str, ...]]:
    return decision.desired, decision.bounded_by


def codes(decision: Decision) -> set[Veto]:
    return {one.code for one in decision.vetoes}


def test_a_calm_target_loses_one() -> None:
    found = of(spec=6)

    assert (Action.SCALE_DOWN, 5, Reason.CONSOLIDATION, True) == (
        found.action,
        found.desired,
        found.binding,
        found.quiet,
    )


@pytest.mark.parametrize(
    ("values", "code"),
    [
        pytest.param({"age_s": 60.0}, Veto.STALE, id="at the end of its time to live"),
        pytest.param({"coverage": 0.95}, Veto.COVERAGE, id="one of twenty unseen"),
        pytest.param({"burn_1h": 1.1}, Veto.BURN, id="the budget burns"),
        pytest.param({"draining": 1}, Veto.DRAINING, id="one drains"),
        pytest.param({"held": None}, Veto.QUEUE_NONZERO, id="it is not known who waits in front"),
        pytest.param({"arrivals_rps": None}, Veto.RHO_AFTER, id="arrivals unknown"),
    ],
)
def test_what_keeps_it(values: dict[str, Any], code: Veto) -> None:
    found = of(spec=6, **values)

    assert (Action.HOLD, 6) == (found.action, found.desired)
    assert code in codes(found)


@pytest.mark.parametrize(
    ("values", "action", "reason"),
    [
        pytest.param({"age_s": None}, Action.NO_DATA, Reason.NO_DATA_STALE, id="never seen"),
        pytest.param({"coverage": 0.4}, Action.NO_DATA, Reason.NO_DATA_COVERAGE, id="hardly seen"),
        pytest.param(
            {"prompts": ((18_432, 0), (20_480, 1))}, Action.INFEASIBLE, Reason.INFEASIBLE_PREFILL, id="too long"
        ),
    ],
)
def test_what_stays_whatever_the_load(values: dict[str, Any], action: Action, reason: Reason) -> None:
    found = of(spec=6, arrivals_rps=60.0, **values)

    assert (action, 6, reason) == whole(found)
    assert (found.trust.score == 0) is (action is Action.NO_DATA)


def test_at_four_turns_an_hour_nothing_is_taken_away() -> None:
    assert {Veto.REVERSAL_LIMIT} == codes(of(spec=6, state=replace(CALM, turns=(T0 - 60,) * 4)))


def test_each_veto_is_told_once() -> None:
    early = replace(CALM, quiet_since_s=None, fell_at_s=T0 - 60)
    found = of(spec=6, state=early)

    assert ({Veto.COOLDOWN}, 1) == (codes(found), len(found.vetoes))
    assert "0 s of 1080 s" in found.vetoes[0].text
    assert "60 s ago" in of(spec=6, state=replace(CALM, fell_at_s=T0 - 60)).vetoes[0].text


def test_until_when_the_next_one_stays() -> None:
    assert down_until_s(seen(observed())) is None
    assert T0 + 60 == down_until_s(seen(observed(), state=replace(CALM, fell_at_s=T0 - 60)))


@pytest.mark.parametrize(
    ("spec", "low", "zero", "expected"),
    [
        pytest.param(2, 2, False, 2, id="at its lower bound"),
        pytest.param(1, 0, False, 1, id="the last one, where none is not allowed"),
        pytest.param(0, 0, True, 0, id="there is none"),
    ],
)
def test_nobody_goes_below_the_bound(spec: int, low: int, zero: bool, expected: int) -> None:
    bounds = replace(SETTINGS, replicas_min=low, zero_allowed=zero)
    found = of(settings=bounds, spec=spec, arrivals_rps=0.0)

    assert (Action.HOLD, expected, ()) == (found.action, found.desired, found.vetoes)


def test_more_than_the_upper_bound_is_kept_unless_all_was_seen() -> None:
    bounds = replace(SETTINGS, replicas_max=3)

    assert (Action.SCALE_DOWN, 3, Reason.MAX_BOUND) == whole(of(settings=bounds, spec=6))
    assert 6 == of(settings=bounds, spec=6, coverage=0.95).desired
    assert 6 == of(settings=bounds, spec=6, coverage=0.6).desired
    assert 6 == of(settings=bounds, spec=6, arrivals_rps=60.0, coverage=0.95).desired, "more is bounded, not taken away"


def test_no_more_than_four_or_as_many_again() -> None:
    assert (2 + STEP_MIN, ("step",)) == bounded(of(spec=2, arrivals_rps=20.0))
    assert (12, ("max",)) == bounded(of(spec=8, arrivals_rps=90.0))


def test_a_start_that_failed_does_not_count() -> None:
    failed = replace(CALM, starts=Starts(took_s=(100.0,), asked_at_s=(T0 - 301.0,), spec=6, ready=5))

    assert (Action.SCALE_UP, 7, Reason.CAPACITY_NOW) == whole(of(spec=6, warming=1, arrivals_rps=11.4, state=failed))
    assert 6 == of(spec=6, warming=1, arrivals_rps=5.0, state=failed).desired


def test_waking() -> None:
    assert (Action.ACTIVATE, 1, Reason.ACTIVATION) == whole(
        of(settings=replace(SETTINGS, replicas_min=0), known=Known(), spec=0, arrivals_rps=None, held=2)
    )
    assert 300 == WAKE_S


def test_trust() -> None:
    model = of(spec=4, arrivals_rps=11.0)
    apart = of(spec=4, arrivals_rps=11.0, state=replace(CALM, saturations=()), ttft_p90_s=None, tpot_p90_s=None)
    lone = of(spec=4, known=Known())
    blind = of(spec=4, held=None, each={"waiting": None}, state=replace(CALM, saturations=()))
    busy = of(spec=4, each={"waiting": 80}, arrivals_rps=1.0)

    assert [0.6, 1.0, 0.8 * 0.5, 0.8, 0.6] == [
        pytest.approx(found.trust.score) for found in (model, apart, lone, blind, busy)
    ]
    assert (
        Level.LOW is of(spec=4, known=Known(load_test=replace(TEST, same_config=False)), arrivals_rps=11.0).trust.level
    )


def test_a_hold_between_both_is_agreement() -> None:
    assert 1.0 == pytest.approx(of(spec=4, arrivals_rps=8.0, state=replace(CALM, saturations=((T0, 0.5),))).trust.score)


def test_modes() -> None:
    active = replace(SETTINGS, mode=Mode.ACTIVE)
    frozen = changed(KNOWN, freeze=Freeze(until_s=T0 + 60, who="ann", reason="x"))

    assert [Mode.ACTIVE, Mode.DEGRADED, Mode.FROZEN] == [
        of(settings=active).mode,
        of(settings=active, coverage=0.6).mode,
        of(settings=active, known=frozen).mode,
    ]


def test_the_peak_is_named() -> None:
    peak = schedule("noon", "25 10 * * *", "UTC", 600, replicas_min=1)
    found = of(settings=replace(SETTINGS, schedules=(peak,)), spec=6)

    assert ["the peak noon is near"] == [one.text for one in found.vetoes]


def test_an_empty_target_only_if_it_has_rested() -> None:
    small = replace(SETTINGS, replicas_min=0, zero_allowed=True)
    cheap = changed(KNOWN, gap_s=36_000.0, cold_penalty_usd=1.0)
    idle = replace(CALM, idle_since_s=T0 - 1_080)
    nothing: dict[str, Any] = {"spec": 1, "arrivals_rps": 0.0, "known": cheap, "settings": small}

    assert Action.TO_ZERO is of(state=idle, **nothing).action
    assert Action.TO_ZERO is of(state=replace(idle, woke_at_s=T0 - 840), **nothing).action
    assert {Veto.COOLDOWN} == codes(of(state=replace(idle, woke_at_s=T0 - 839), **nothing))
    assert () == of(state=replace(idle, idle_since_s=T0 - 1_079), **nothing).vetoes
