"""How the objective of a target stands, from what the engine saw."""

from dataclasses import replace

import pytest
from hints_rig import target
from scaling_rig import Follower, observed
from views import judged, seen

from slo.hints_sight import Promise
from slo.hints_word import clause, promise
from slo.view import EngineView

CHAT = replace(target("chat"), slo="chat")


def test_nothing_is_promised_without_an_objective_or_before_it_was_evaluated() -> None:
    assert Promise() == promise(CHAT, EngineView(watched=()))
    assert Promise() == promise(target("chat"), seen(judged()))
    assert Promise() == promise(replace(CHAT, slo="other"), seen(judged()))


def test_the_group_of_the_endpoint_counts() -> None:
    view = seen(judged(good=990, bad=10), judged(good=500, bad=500, endpoint="code"))
    found = promise(CHAT, view)

    assert (0.99, pytest.approx(0.99), pytest.approx(1.0)) == (
        found.objective_ratio, found.attainment_1h_ratio, found.burn_1h,
    )  # fmt: skip
    assert found.budget_left_ratio is not None


def test_of_other_groups_the_one_that_burns_fastest_counts() -> None:
    view = seen(judged(endpoint="a"), judged(good=900, bad=100, endpoint="b"))

    assert pytest.approx(10.0) == promise(CHAT, view).burn_1h


def test_an_alert_says_which_hints_ask_for_a_change() -> None:
    calm, busy, blind = Follower(), Follower(), Follower()
    hints = [calm.see(observed()), busy.see(observed(arrivals_rps=14.0)), blind.see(observed(age_s=None))]
    said = clause(hints)

    assert said.startswith("llama70b-chat: scale_up, 4 -> ")
    assert said.endswith("); llama70b-chat: no_data (The last observation is too old to decide by.)")
    assert "" == clause(hints[:1])
