"""Every policy by its name."""

from dataclasses import replace

import pytest
from scaling_rig import KNOWN, SETTINGS, T0, changed, observed

from slo.scaling.policies.catalogue import FORESEEING, NAMES, THRESHOLDS, Given, build, listed, of_hours
from slo.scaling.shape import Shape

GIVEN = Given(settings=SETTINGS, known=KNOWN, in_flight=30.0, rates=((T0, 5.0), (T0 + 60, 13.0)))


@pytest.mark.parametrize("name", NAMES)
def test_each_is_built_and_answers_within_its_bounds(name: str) -> None:
    policy = build(name, GIVEN)

    assert policy.tick_s > 0
    assert 0 <= policy.decide(observed(T0, spec=4)) <= SETTINGS.replicas_max


def test_a_threshold_stands_behind_the_name() -> None:
    seen = observed(T0, spec=4, each={"running": 24})

    assert [6, 4] == [build(name, GIVEN).decide(seen) for name in ("hpa-running", "hpa-running=24")]
    assert THRESHOLDS < set(NAMES)
    assert FORESEEING < set(NAMES)


def test_a_tuned_one_has_a_share_of_what_a_replica_holds() -> None:
    seen = observed(T0, spec=4, each={"running": 24})

    assert [6, 4] == [build(name, GIVEN).decide(seen) for name in ("hpa-tuned=0.55", "hpa-tuned=0.8")]


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        pytest.param("hpa", GIVEN, r"found policy 'hpa', allowed: ours, ", id="nobody"),
        pytest.param("ours=3", GIVEN, r"found policy 'ours=3', allowed: ours, ", id="one without a threshold"),
        pytest.param("kpa=x", GIVEN, "allowed: a number above 0", id="no number"),
        pytest.param("kpa=0", GIVEN, "allowed: a number above 0", id="nothing"),
        pytest.param("hpa-tuned", replace(GIVEN, in_flight=None), "requests in flight", id="no count"),
        pytest.param("oracle", replace(GIVEN, known=changed(KNOWN, load_test=None)), "load test", id="no load test"),
    ],
)
def test_what_cannot_be_built(name: str, given: Given, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(name, given)


def test_a_list_has_each_policy_once() -> None:
    assert ("ours", "hpa-running=24", "hpa-running") == listed(" ours,hpa-running=24,, ours,hpa-running")


@pytest.mark.parametrize("text", ["", " , ", "ours,mine", "ours,kpa=0", '["ours"]'])
def test_a_list_with_nobody_in_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"found policy .*, allowed: "):
        listed(text)


def test_hours_of_the_days_before_make_a_schedule() -> None:
    shape = Shape(slots={slot: 5.2 if slot < 6 else 2.6 for slot in range(144)}, weekly=False)
    hours = of_hours(shape, 2.6)

    assert (24, 3, 2) == (len(hours), hours[0].replicas_min, hours[1].replicas_min)
    assert () == of_hours(None, 2.6)
