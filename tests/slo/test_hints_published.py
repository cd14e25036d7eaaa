"""What every transport of hints is given, and when no more (spec/scaling.md 3)."""

import pytest
from hints_rig import Clock, target
from scaling_rig import T0, Follower, observed

from slo.hints_book import Kept, kept
from slo.hints_published import Published
from slo.scaling.codes import Action
from telemetry.errors import StoreUnreachableError


def made(at_s: int = T0) -> Kept:
    follower = Follower()
    hint = follower.see(observed(at_s))
    return kept(at_s, follower.state, hint)


@pytest.fixture
def clock() -> Clock:
    return Clock(T0 + 4)


@pytest.fixture
def desk(clock: Clock) -> Published:
    return Published([target("llama70b-chat"), target("other")], lambda: (clock.wall_s, clock.elapsed_s))


def action(desk: Published, now_s: float) -> Action:
    served = desk.served("llama70b-chat", now_s)
    assert served is not None
    return served.hint.action


def test_a_hint_is_served_until_it_expires_and_then_what_it_stands_for(desk: Published, clock: Clock) -> None:
    rung: list[int] = []
    desk.listen(lambda: rung.append(1))
    one = made()
    desk.publish({"llama70b-chat": one})
    desk.reached()

    assert [1] == rung
    served = desk.served("llama70b-chat", T0 + 4)
    assert served is not None
    assert one.payload.encode() == served.body
    clock.to(T0 + 55)
    assert Action.HOLD is action(desk, T0 + 55)
    clock.to(T0 + 56)
    assert Action.NO_DATA is action(desk, T0 + 56)
    assert desk.served("other", T0) is None
    assert desk.served("unknown", T0) is None


def test_a_silent_store_is_an_error_once_the_hint_is_over(desk: Published) -> None:
    desk.publish({"llama70b-chat": made()})
    desk.reached("gone")

    assert Action.HOLD is action(desk, T0 + 55)
    for name in ("llama70b-chat", "other"):
        with pytest.raises(StoreUnreachableError, match="gone"):
            desk.served(name, T0 + 56)
    assert desk.served("unknown", T0 + 56) is None
    assert "gone" == desk.trouble


def test_a_wall_clock_that_goes_back_makes_it_no_younger(desk: Published, clock: Clock) -> None:
    desk.publish({"llama70b-chat": made()})
    desk.reached()
    clock.elapsed_s += 52

    assert Action.NO_DATA is action(desk, T0 - 3_600)


def test_a_hint_of_the_future_is_not_believed_for_longer_than_its_time_to_live(desk: Published) -> None:
    desk.publish({"llama70b-chat": made(T0 + 7_200)})
    desk.reached()

    assert Action.HOLD is action(desk, T0 + 63)
    assert Action.NO_DATA is action(desk, T0 + 64)
    assert ("llama70b-chat", "other") == desk.names()
    assert desk.hinted("unknown") is None


def test_of_other_targets_those_that_stay_keep_their_hint(desk: Published) -> None:
    rung: list[int] = []
    desk.publish({"llama70b-chat": made(), "other": made()})
    desk.reached()
    desk.listen(lambda: rung.append(1))
    desk.follow([target("llama70b-chat"), target("new")])

    assert [1] == rung, "who waits for news of one that is gone is told"
    assert (("llama70b-chat", "new"), None) == (desk.names(), desk.hinted("other"))
    assert Action.HOLD is action(desk, T0 + 4)
    assert (None, None) == (desk.served("other", T0 + 4), desk.served("new", T0 + 4))
