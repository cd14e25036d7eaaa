"""How a decision is said: the parts of a hint that no acceptance case reads."""

from dataclasses import replace
from typing import Any

import pytest
from scaling_rig import KNOWN, SETTINGS, T0, TEST, Follower, changed, observed

from slo.scaling.codes import Action, Reason
from slo.scaling.cold_start import ColdStarts, Phase, Slower
from slo.scaling.lead import Lead, Starts
from slo.scaling.preview import Swallowed
from slo.scaling.schedule import schedule
from slo.scaling.settings import Freeze, Known
from slo.scaling.state import State
from slo.scaling.verdicts import Bursts
from slo.scaling.wording import issued


def test_where_the_numbers_come_from() -> None:
    hint = Follower().see(observed())

    assert ("loadtest:run_0193", 3, 2.6, "prefill") == (
        hint.capacity.basis,
        hint.capacity.age_days,
        hint.capacity.goodput_rps,
        hint.capacity.bottleneck,
    )
    assert (75, "28.8", "4.91", "1.89") == (
        hint.capacity.queue_depth_hi,
        f"{hint.capacity.queue_depth_hi_s:.3g}",
        f"{hint.capacity.queue_star:.3g}",
        f"{hint.capacity.queue_star_s:.3g}",
    )
    assert (540.0, "p90 of last 20 cold starts", 5.0, 6.2) == (
        hint.forecast.lead_s,
        hint.forecast.lead_basis,
        hint.forecast.p50_rps,
        hint.forecast.p95_rps,
    )
    assert ("2026-07-15T10:09:56Z", "2026-07-15T10:10:56Z") == (hint.observed_at, hint.expires_at)
    assert "low" == hint.gpu.band


def test_what_is_unknown_is_null() -> None:
    bare = Follower(replace(SETTINGS, usd_per_gpu_hour=None), Known()).see(
        observed(age_s=None, arrivals_rps=None, cold_start_p90_s=None, each={"gpu_util_ratio": None})
    )

    assert (None, None, None) == (bare.capacity.goodput_rps, bare.capacity.basis, bare.capacity.rho)
    assert (None, None) == (bare.forecast.p50_rps, bare.forecast.p95_rps)
    assert "not measured: the seed's 15 minutes, less 2" == bare.forecast.lead_basis
    assert (None, None, None) == (bare.gpu.util, bare.gpu.band, bare.gpu.label)
    assert (None, None) == (bare.impact.usd_per_h_now, bare.impact.miss_risk_if_ignored)
    assert bare.issued_at == bare.expires_at, "nothing to act upon"


def test_an_autoscaler_that_would_swallow_it_is_told_of() -> None:
    hint = Follower(replace(SETTINGS, replicas_max=20)).see(observed(spec=11, arrivals_rps=11.5 * 2.6 / 1.25))

    assert (12, 11, Swallowed.YES) == (hint.replicas.desired, hint.hpa_preview.would_set, hint.hpa_preview.swallowed)
    assert "set behavior.tolerance 0" in hint.hpa_preview.text


def test_an_actor_that_spoke_is_heard() -> None:
    silent = Follower().see(observed()).ack
    acked = Follower(known=changed(KNOWN, acked_replicas=5)).see(observed()).ack

    assert ("pending", None, "applied", 5) == (silent.state, silent.applied, acked.state, acked.applied)


def test_a_veto_names_what_it_is_against() -> None:
    frozen = changed(KNOWN, freeze=Freeze(until_s=T0 + 60, who="ann", reason="x"))

    assert "2026-07-15T10:11:00Z" == Follower(known=frozen).see(observed(age_s=None)).expires_at, "it needs no data"
    assert Action.SCALE_DOWN is Follower(known=frozen).see(observed()).vetoes[0].against
    assert Action.TO_ZERO is Follower(known=frozen).see(observed(spec=1)).vetoes[0].against


@pytest.mark.parametrize(
    ("price", "text"), [pytest.param(None, "hold a floor of 5, or queue", id="no price"), (2.0, "$29200 a month")]
)
def test_a_burst_says_what_a_floor_costs(price: float | None, text: str) -> None:
    bursts = Bursts(peak_1s_rps=66.8, mean_rps=2.57, length_s=60.0, p99_1m_rps=10.5)
    hint = Follower(replace(SETTINGS, usd_per_gpu_hour=price), changed(KNOWN, bursts=bursts)).see(observed())

    assert text in next(one.text for one in hint.reasons if one.code is Reason.BURST_UNFOLLOWABLE)


@pytest.mark.parametrize(
    ("values", "code", "text"),
    [
        pytest.param(
            {"prompts": ((18_432, 0), (20_480, 1))}, Reason.INFEASIBLE_PREFILL, "more than 18432 tokens", id="prompts"
        ),
        pytest.param({"age_s": None}, Reason.NO_DATA_STALE, "too old to decide by", id="no data"),
    ],
)
def test_reasons_that_no_want_gives(values: dict[str, Any], code: Reason, text: str) -> None:
    (said,) = [one for one in Follower().see(observed(**values)).reasons if one.binding]

    assert (code, None) == (said.code, said.wants)
    assert text in said.text


def test_a_slow_step_and_a_peak() -> None:
    peak = schedule("noon", "10 10 * * *", "UTC", 600, replicas_min=1)
    hint = Follower(replace(SETTINGS, itl_s=0.02, schedules=(peak,))).see(observed())

    assert "an empty step takes longer than 0.02 s" in hint.reasons[0].text
    assert "noon" == (None if hint.forecast.schedule is None else hint.forecast.schedule.name)


def test_until_when_the_next_one_stays() -> None:
    follower = Follower(state=State(specs=((T0 - 15, 7),), at_s=T0 - 15))
    hint = follower.see(observed(spec=6))

    assert "2026-07-15T10:12:00Z" == hint.cooldown.down_until
    assert Follower(state=State(fell_at_s=T0 - 121)).see(observed()).cooldown.down_until is None


def test_a_hint_is_issued_at_the_instant_of_its_number() -> None:
    hint = Follower(known=changed(KNOWN, load_test=TEST)).see(observed())
    then = issued(hint, T0 - 60, 7)

    assert ("2026-07-15T10:09:00Z", "2026-07-15T10:09:00Z", 7) == (then.issued_at, then.valid_from, then.seq)
    assert (then.id != hint.id, then.reasons) == (True, hint.reasons)


def test_starts_are_said_by_phase_and_when_they_became_slower() -> None:
    took, ready = Lead(p50_s=80, p90_s=120, n=3), Lead(p50_s=300, p90_s=540, n=20)
    slow = Slower(phase=Phase.IMAGE, p90_s=540, before_p90_s=400, n=20, before_n=40)
    cold = ColdStarts(lead=ready, phases={Phase.IMAGE: took, Phase.READY: ready}, failed=2, slower=slow)
    known = changed(KNOWN, cold_starts=cold, lead_basis="p90 of last 20 cold starts")
    calm = changed(known, cold_starts=replace(cold, slower=None))
    said, same = Follower(known=known).see(observed()), Follower(known=calm).see(observed())

    assert said.cold_start is not None
    assert (80, 120, 3) == tuple(getattr(said.cold_start.phases[Phase.IMAGE], name) for name in ("p50_s", "p90_s", "n"))
    assert said.cold_start.regression is not None
    assert (Phase.IMAGE, slow.text) == (said.cold_start.regression.phase, said.cold_start.regression.text)
    assert same.cold_start is not None
    assert (2, None) == (same.cold_start.failed_30d, same.cold_start.regression)
    assert said.seq == same.seq
    assert Follower().see(observed()).cold_start is None


def test_a_start_that_is_measured_one_by_one_says_when_the_next_has_failed() -> None:
    # 1 of 5 was asked for at T0 and is not ready; three times 540 s is longer than three times 100.
    starts = Starts(took_s=(540.0,), spec=5, ready=4, asked_at_s=(float(T0),))
    quick = ColdStarts(lead=Lead(p50_s=100, p90_s=100, n=20), phases={}, failed=0, slower=None)
    seen = observed(T0 + 315, spec=5, warming=1, arrivals_rps=5 * 2.6 / 1.25)
    wants = [
        Follower(known=known, state=State(starts=starts)).see(seen).replicas.desired
        for known in (KNOWN, changed(KNOWN, cold_starts=quick))
    ]

    assert [5, 6] == wants


def test_thresholds_are_translated_into_seconds_requests_and_load() -> None:
    follower = Follower()
    follower.see(observed(each={"gpu_util_ratio": 0.75}))
    hint = follower.see(observed(T0 + 15, arrivals_rps=8.0, each={"gpu_util_ratio": 0.76, "kv_used_ratio": 0.8}))
    queue = next(one.text for one in hint.reasons if one.code is Reason.QUEUE_DEPTH)

    # 120,000 tokens of cache, 1,084.5 of each request; 2.6 rps.
    assert 22 == hint.capacity.kv_fits
    assert hint.gpu.rho_at_75 is not None
    assert ("your 75% GPU was a load of 0.41 to 0.65 in the last 7 d", 2) == (
        hint.gpu.rho_at_75.text,
        hint.gpu.rho_at_75.n,
    )
    assert "what the seed calls safe, 50 to 100, is 19.2 to 38.5 s" in queue
