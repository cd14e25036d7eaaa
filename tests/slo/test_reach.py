"""What the rules of an objective can see: spec/slo.md 5."""

from dataclasses import replace

import pytest
from slo_texts import POLICY, loaded, slo

from slo.expression import parse
from slo.objective import Objective, Rolling
from slo.reach import reaches
from slo.wholes import Call, Flow, Job
from slo.windows import Reachability

DAY_S = 86_400


def objective(target: float, days: int = 30) -> Objective:
    return Objective(name="o", service="s", target=target, window=Rolling(length_s=days * DAY_S), where="f:1")


@pytest.mark.parametrize(
    ("target", "expected"),
    [  # 14.4 needs T > 93.06 % (93.75 % without warning)
        (0.999, Reachability.REACHABLE),
        (0.9375, Reachability.REACHABLE),
        (0.935, Reachability.BARELY),
        (0.93, Reachability.NEVER),
    ],
)
def test_a_rule_can_fire_or_not(target: float, expected: Reachability) -> None:
    first = reaches(objective(target))[0]

    assert (14.4, expected, "page", "f:1") == (first.rule.burn, first.can_fire, first.severity, first.where)


def test_a_total_outage_is_seen_as_soon_as_the_table_says() -> None:
    found = {one.rule.burn: one.detect_s for one in reaches(objective(0.999))}

    assert [51.84, 129.6, 259.2, 259.2] == [found[burn][0] for burn in (14.4, 6.0, 3.0, 1.0)]  # 52 s, 2.2 m, 4.3 m


def test_what_is_known_late_is_seen_late() -> None:
    wholes = (Flow(last=parse("ok"), budget_s=50), Job(deadline_s=3_600), Call(retry_s=60))
    found = [reaches(replace(objective(0.999), whole=whole))[0].detect_s[0] for whole in wholes]

    assert [51.84 + 50, 51.84 + 600, 51.84 + 60] == found
    assert reaches(replace(objective(0.935), whole=wholes[0]))[0].detect_s[2] is None, "never stays never"


def test_a_policy_takes_the_place_of_the_catalogue() -> None:
    (one,) = loaded(slo(alertPolicies=POLICY)).objectives
    (found,) = reaches(one)

    assert ("sev1", 2.0, 3_600, 300, "f0.yaml:10") == (
        found.severity,
        found.rule.burn,
        found.rule.long_s,
        found.rule.short_s,
        found.where,
    )
    assert found.ratio == pytest.approx(0.02)
