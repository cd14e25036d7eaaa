"""What missing data does to a hint, and what it never does (spec/scaling.md 3, acceptance A2)."""

import functools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scaling_rig import KNOWN, LATER, SETTINGS, T0, TEST, Follower, Grown, changed, codes, observed, reasons, replica

from slo.scaling.codes import Action, Level, Mode, Reason, Veto
from slo.scaling.expired import unix_s
from slo.scaling.settings import Known, LoadTest
from slo.scaling.state import GPU_EXPECTED_S, State
from telemetry.scaling import Observation


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        pytest.param({"age_s": 61.0}, Reason.NO_DATA_STALE, id="too old"),
        pytest.param({"age_s": None}, Reason.NO_DATA_STALE, id="never seen"),
        pytest.param({"coverage": 0.49}, Reason.NO_DATA_COVERAGE, id="most are missing"),
        pytest.param(
            {"arrivals_rps": None, "held": None, "ttft_p90_s": None, "tpot_p90_s": None}
            | {"each": {"waiting": None, "kv_used_ratio": None}},
            Reason.NO_DATA_COVERAGE,
            id="no signal is known",
        ),
    ],
)
def test_without_data_it_stays_as_it_is(values: dict[str, Any], reason: Reason) -> None:
    hint = Follower(state=replace(calm(TEST), saturations=())).see(
        observed(LATER, spec=6, **dict[str, Any]({"arrivals_rps": 6.0} | values))
    )

    assert (Action.NO_DATA, 6, [reason]) == (hint.action, hint.replicas.desired, [reasons(hint)[0]])
    assert (0.0, Level.LOW) == (hint.confidence.score, hint.confidence.level)


def test_after_a_gap_quiet_begins_anew() -> None:
    follower = Follower(state=calm(TEST))
    follower.see(observed(LATER, spec=6, age_s=None))
    hint = follower.see(observed(LATER + 15, spec=6, arrivals_rps=6.0))

    assert (Action.HOLD, {Veto.COOLDOWN}) == (hint.action, codes(hint))


def test_with_one_of_five_unseen_it_takes_nothing_away() -> None:
    follower = Follower()
    follower.watch(T0, LATER, spec=5, arrivals_rps=3.0)
    hint = follower.see(observed(LATER, spec=5, arrivals_rps=3.0, coverage=0.8))

    assert (Action.HOLD, Mode.DEGRADED, 5) == (hint.action, hint.mode, hint.replicas.desired)
    assert {Veto.COVERAGE, Veto.LOW_CONFIDENCE} <= codes(hint)


def test_values_of_a_replica_that_is_gone_or_silent_are_dropped() -> None:
    frozen = replica(9, waiting=500, kv_used_ratio=1.0, age_s=61.0)
    seen = observed(LATER, spec=6, arrivals_rps=6.0)
    ghost = Follower(state=calm(TEST)).see(replace(seen, replicas=(*seen.replicas, frozen)))
    silent = Follower(state=calm(TEST)).see(replace(seen, replicas=(*seen.replicas[1:], replace(frozen, age_s=None))))

    assert (Action.SCALE_DOWN, 0.0) == (ghost.action, ghost.signals["waiting"].value)
    assert (Action.HOLD, {Veto.COVERAGE}) == (silent.action, codes(silent))


def test_a_fleet_without_samples_of_gpus_shrinks_when_all_else_allows_it() -> None:
    follower, bare = Follower(), {"gpu_util_ratio": None}
    follower.watch(T0, LATER, spec=6, arrivals_rps=6.0, each=bare)
    hint = follower.see(observed(LATER, spec=6, arrivals_rps=6.0, each=bare))

    assert (Action.SCALE_DOWN, 5, set[Veto]()) == (hint.action, hint.replicas.desired, codes(hint))
    assert "gpu_util" not in hint.signals, "what no fleet tells that has no such samples is not missing"
    assert "no GPU signal" in hint.confidence.why


def test_utilisation_that_was_told_and_is_not_told_now_keeps_every_replica() -> None:
    follower = Follower(state=calm(TEST))
    hint = follower.see(observed(LATER, spec=6, arrivals_rps=6.0, each={"gpu_util_ratio": None}))
    week_s = LATER + GPU_EXPECTED_S
    after = Follower(state=replace(follower.state, quiet_since_s=T0)).see(
        observed(week_s, spec=6, arrivals_rps=6.0, each={"gpu_util_ratio": None})
    )

    assert (6, {Veto.GPU_BAND, Veto.COVERAGE}) == (hint.replicas.desired, codes(hint))
    assert {"not every replica told all: gpu_util of 6 of 6"} == {
        one.text for one in hint.vetoes if one.code is Veto.COVERAGE
    }
    assert (None, None, 0.0) == (
        hint.signals["gpu_util"].value, hint.signals["gpu_util"].age_s, hint.signals["gpu_util"].coverage,
    )  # fmt: skip
    assert "no GPU signal" not in hint.confidence.why
    assert Veto.GPU_BAND not in codes(after)


def test_each_signal_says_of_how_many_it_is_and_how_old() -> None:
    seen = observed(LATER, spec=6, arrivals_rps=6.0, age_s=2.0)
    first, second, *others = seen.replicas
    views = (replace(first, kv_used_ratio=None), replace(second, age_s=20.0, waiting=None), *others)
    hint = Follower(state=calm(TEST)).see(replace(seen, replicas=views))

    told = {name: (one.age_s, round(one.coverage, 3)) for name, one in hint.signals.items()}
    assert told == {
        "arrivals_rps": (2.0, 1.0), "slo_ratio_p90": (2.0, 1.0), "waiting": (4.0, 0.833), "running": (20.0, 1.0),
        "kv_usage_max": (20.0, 0.833), "gpu_util": (20.0, 1.0),
    }  # fmt: skip


def test_a_hint_is_as_old_as_the_oldest_scrape_that_it_rests_on() -> None:
    hint = Follower(state=calm(TEST)).see(observed(LATER, spec=6, arrivals_rps=6.0, age_s=0.0, each={"age_s": 55.0}))

    assert "observed 55 s before the instant" == hint.confidence.why[0]
    assert (LATER - 55, LATER + 5) == (unix_s(hint.observed_at or ""), unix_s(hint.expires_at))
    assert (6, True) == (hint.replicas.desired, Veto.LOW_CONFIDENCE in codes(hint))


def test_with_half_unseen_only_safety_asks_for_more() -> None:
    grown = changed(KNOWN, shape=Grown())
    full = Follower(known=grown).see(observed(arrivals_rps=7.0))
    half = Follower(known=grown).see(observed(arrivals_rps=7.0, coverage=0.6))
    felt = Follower(known=grown).see(observed(arrivals_rps=12.0, coverage=0.6))

    assert (Action.SCALE_UP, Reason.CAPACITY_FORECAST) == (full.action, reasons(full)[0])
    assert (Action.HOLD, Mode.DEGRADED) == (half.action, half.mode)
    assert (Action.SCALE_UP, 6, Reason.CAPACITY_NOW) == (felt.action, felt.replicas.desired, reasons(felt)[0])


LOST = {
    "age_s": (None, 61.0, 4.0),
    "coverage": (0.3, 0.6, 0.95, 1.0),
    "arrivals_rps": (None, 6.0),
    "held": (None, 0),
    "tokens_in_mean": (None, 1_020.0),
    "tokens_out_mean": (None, 129.0),
    "prefix_hit_ratio": (None, 0.0),
    "ttft_p90_s": (None, 0.4),
    "tpot_p90_s": (None, 0.01),
    "cold_start_p90_s": (None, 540.0),
    "burn_1h": (None, 0.1),
    "budget_left_ratio": (None, 0.63),
    "waiting": (None, 0),
    "waiting_prompt_tokens": (None, 0),
    "running": (None, 8),
    "kv_used_ratio": (None, 0.3),
    "gpu_util_ratio": (None, 0.6),
}
"""What may be lost of an observation, and what is there otherwise, last."""
OF_REPLICA = {"waiting", "waiting_prompt_tokens", "running", "kv_used_ratio", "gpu_util_ratio"}
SUPPLEMENTARY = {"prefix_hit_ratio", "waiting_prompt_tokens", "running", "cold_start_p90_s"}
"""Where these are lost the worst is taken for them, and the rest still decides."""


@functools.cache
def calm(test: LoadTest | None) -> State:
    """Return what is remembered of a calm time, seen in full, at the end of which one replica would be taken away."""
    follower = Follower(known=changed(KNOWN, load_test=test))
    follower.watch(T0, LATER, spec=6, arrivals_rps=6.0)
    return follower.state


def look(at_s: int, spec: int, lost: dict[str, Any], of: int | None) -> Observation:
    """Return an observation of a calm hour with something lost, of one replica or of each."""
    whole: dict[str, Any] = {name: value for name, value in lost.items() if name not in OF_REPLICA}
    seen = observed(at_s, spec=spec, **dict[str, Any]({"arrivals_rps": 6.0} | whole))
    each = {name: value for name, value in lost.items() if name in OF_REPLICA}
    views = tuple(
        replace(one, **each) if of is None or of == number else one for number, one in enumerate(seen.replicas)
    )
    return replace(seen, replicas=views)


@settings(max_examples=120)
@given(
    lost=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in LOST.items()}),
    of=st.none() | st.integers(0, 5),
    test=st.sampled_from([TEST, replace(TEST, engine=None), replace(TEST, goodput_rps=None), None]),
)
def test_whatever_is_lost_no_smaller_number_comes_of_it(
    lost: dict[str, Any], of: int | None, test: LoadTest | None
) -> None:
    known = changed(KNOWN, load_test=test)
    hint = Follower(known=known, state=calm(test)).see(look(LATER, 6, lost, of))
    whole = all(value == LOST[name][-1] for name, value in lost.items() if name not in SUPPLEMENTARY)

    assert hint.replicas.desired >= 6 or whole
    assert (hint.replicas.desired < 6) is (hint.action is Action.SCALE_DOWN)


@settings(max_examples=40)
@given(
    lost=st.lists(
        st.fixed_dictionaries({name: st.sampled_from(values) for name, values in LOST.items()}), min_size=1, max_size=8
    )
)
def test_a_target_that_is_hardly_ever_seen_never_shrinks(lost: list[dict[str, Any]]) -> None:
    follower, spec = Follower(), 6
    for number, one in enumerate(lost):
        one["age_s"] = None if number % 2 else one["age_s"]
        hint = follower.see(look(T0 + 15 * number, spec, one, None))

        assert hint.replicas.desired >= spec
        spec = hint.replicas.desired


AIMLESS = replace(SETTINGS, ttft_s=None, itl_s=None)


def test_without_objectives_the_measured_load_takes_replicas_away() -> None:
    hint = Follower(AIMLESS).watch(T0, LATER, spec=6, arrivals_rps=6.0)

    assert (Action.SCALE_DOWN, 5, 2.6) == (hint.action, hint.replicas.desired, hint.capacity.goodput_rps)
    assert Reason.NO_OBJECTIVE not in reasons(hint)


def test_without_objectives_and_a_load_test_none_is_taken_away_and_the_hint_says_what_to_set() -> None:
    hint = Follower(AIMLESS, Known()).watch(T0, LATER, spec=6, arrivals_rps=6.0)
    (said,) = [one for one in hint.reasons if one.code is Reason.NO_OBJECTIVE]
    aimed = Follower(SETTINGS, Known()).watch(T0, LATER, spec=6, arrivals_rps=6.0)

    assert (Action.HOLD, False) == (hint.action, said.binding)
    assert Veto.RHO_AFTER in codes(hint)
    assert "set ttft_s and itl_s" in said.text
    assert Reason.NO_OBJECTIVE not in reasons(aimed)


def test_while_a_rollout_passes_nothing_is_taken_away_and_the_others_are_no_capacity() -> None:
    calm: dict[str, Any] = {"spec": 6, "arrivals_rps": 6.0}
    before, mixed = Follower(), Follower()
    whole, hint = before.watch(T0, LATER, **calm), mixed.watch(T0, LATER, strangers=2, draining=1, **calm)

    assert (Action.SCALE_DOWN, Action.HOLD) == (whole.action, hint.action)
    assert {Veto.ROLLOUT, Veto.DRAINING} <= codes(hint)
    assert "2 of 6 replicas have another configuration" in str(hint.reasons)
    assert (2, 1) == (hint.replicas.strangers, hint.replicas.draining)
    assert whole.capacity.rho is not None
    assert hint.capacity.rho == pytest.approx(whole.capacity.rho * 6 / 4)
    more = mixed.see(observed(LATER, strangers=2, spec=6, arrivals_rps=60.0))
    assert Action.SCALE_UP is more.action, "it never stands in the way of safety"
