"""What a hint becomes that nobody renewed (spec/scaling.md 3)."""

from dataclasses import replace

from scaling_rig import KNOWN, SETTINGS, T0, Follower, observed

from slo.scaling.codes import Action, Level, Reason
from slo.scaling.expired import expired, unix_s
from slo.scaling.hint import hint_id


def test_an_expired_hint_says_the_number_that_is_asked_for_and_no_more() -> None:
    follower = Follower()
    follower.watch(T0, T0 + 60)
    live = follower.see(observed(T0 + 60, arrivals_rps=14.0))
    over = expired(live)

    assert (Action.SCALE_UP, 4) == (live.action, live.replicas.spec)
    assert (Action.NO_DATA, 4, None, 0.0, Level.LOW) == (
        over.action, over.replicas.desired, over.replicas.raw, over.confidence.score, over.confidence.level,
    )  # fmt: skip
    assert [Reason.NO_DATA_STALE] == [one.code for one in over.reasons]
    assert (over.impact.usd_per_h_now, 4) == (over.impact.usd_per_h_desired, over.hpa_preview.would_set)
    assert (live.expires_at, live.observed_at) == (over.expires_at, over.observed_at)


def test_its_number_is_that_of_the_first_instant_at_or_after_its_end() -> None:
    follower = Follower()
    first = follower.see(observed())
    over = expired(first)

    assert (T0 + 56, T0 + 60) == (unix_s(first.expires_at), unix_s(over.issued_at))
    assert (0, -1 - 4) == (first.seq, over.seq)
    assert over.id == hint_id("llama70b-chat", "prod", T0 + 60, is_over=True)


def test_a_hint_that_is_decided_at_its_end_shares_neither_number_nor_id() -> None:
    follower = Follower()
    over = expired(follower.see(observed()))
    late = follower.see(observed(T0 + 15))
    more = follower.see(observed(T0 + 60, arrivals_rps=14.0))

    assert (Action.SCALE_UP, 4, over.issued_at) == (more.action, more.seq, more.issued_at)
    assert not {over.seq, over.id} & {late.seq, late.id, more.seq, more.id}


def test_what_was_made_without_data_stays_as_it_is() -> None:
    hint = Follower(replace(SETTINGS), KNOWN).see(observed(age_s=None))

    assert hint == expired(hint)
