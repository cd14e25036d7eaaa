"""Times that count less, and acts, from outside."""

from dataclasses import replace

from test_adjustments import DAILY, ONCE, START_S

from slo.audit import FIRST_HASH, By, Deed, act
from slo.recurrence import REPEATED_S_MAX
from slo.shown_adjustments import act_shown, adjustment_shown, adjustments_shown


def test_a_time_is_planned_active_past_or_withdrawn() -> None:
    states = [adjustment_shown(ONCE, START_S + at).state for at in (-1, 0, 599, 600)]
    again = [adjustment_shown(DAILY, START_S + at).state for at in (600, REPEATED_S_MAX + 600)]

    assert states == ["planned", "active", "active", "past"]
    assert again == ["active", "past"]
    assert adjustment_shown(replace(ONCE, excluded_percent=0), START_S).state == "withdrawn"


def test_what_begins_last_comes_first() -> None:
    later = replace(ONCE, id="later", start_s=START_S + 60)

    assert [one.id for one in adjustments_shown([ONCE, later], START_S).adjustments] == ["later", "a"]


def test_an_act_is_told_with_its_reason_wherever_that_stands() -> None:
    by = By(who="ann", at_s=START_S)
    reasons = [
        act_shown(act(Deed.SILENCE_MADE, "q", by, (None, after), FIRST_HASH)).reason
        for after in ({"comment": "c"}, {"reason": "r", "comment": "c"}, {"text": "t"}, {"x": 1}, None)
    ]
    one = act_shown(act(Deed.SILENCE_ENDED, "q", by, ({"a": 1}, {"a": 2}), FIRST_HASH))

    told = act(Deed.SILENCE_ENDED, "q", by, (None, None), FIRST_HASH)
    foreign = act_shown(replace(told, before="no JSON", after="[1]"))

    assert (foreign.before, foreign.after) == ({"text": "no JSON"}, {"text": "[1]"})
    no_hash = act_shown(replace(told, prev_hash="no hash"))
    assert (True, False, False) == (one.is_whole, foreign.is_whole, no_hash.is_whole)
    assert reasons == ["c", "r", "t", "", ""]
    assert (one.before, one.after, one.actor) == ({"a": 1}, {"a": 2}, "ann")
