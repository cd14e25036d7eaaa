"""Alert policies and conditions: what is refused, and what is worth a word."""

import pytest
from slo_texts import documents, loaded, slo

from slo.documents import Findings, Section
from slo.errors import ObjectiveError
from slo.objective import ConditionKind
from slo.openslo_alerts import CONDITIONS_MAX, DESCRIPTION_CHARACTERS_MAX, condition

INLINE = """[{kind: AlertPolicy, metadata: {name: p}, spec: {conditions: [{kind: AlertCondition, metadata: {name: c},
    spec: {severity: page, condition: {threshold: 2, lookbackWindow: 1h}}}], notificationTargets: [TARGET]}}]"""
TARGET = "{kind: AlertNotificationTarget, metadata: {name: t}, spec: {target: slack}}"


def inline(old: str = "", new: str = "", target: str = TARGET) -> str:
    return slo(alertPolicies=INLINE.replace("TARGET", target).replace(old, new))


def test_a_policy_may_stand_in_its_slo() -> None:
    (policy,) = loaded(inline()).objectives[0].policies

    assert (("t",), True, False, False) == (
        policy.targets,
        policy.when_breaching,
        policy.when_resolved,
        policy.when_no_data,
    )
    assert (ConditionKind.BURN_RATE, "page", 2.0, 3_600, 0, "f0.yaml:11") == tuple(
        getattr(policy.conditions[0], name)
        for name in ("kind", "severity", "threshold", "lookback_s", "after_s", "where")
    )


@pytest.mark.parametrize(("text", "expected"), [("0m", 0), ("5m", 300)])
def test_how_long_it_must_be_calm(text: str, expected: int) -> None:
    (policy,) = loaded(inline("spec: {conditions", f"spec: {{keepFiringFor: {text}, conditions")).objectives[0].policies

    assert (expected, None) == (policy.keep_firing_s, loaded(inline()).objectives[0].policies[0].keep_firing_s)


def test_a_target_that_is_not_in_the_files_is_worth_a_word() -> None:
    found = loaded(inline(target="{targetRef: pager}"))

    assert "'pager' is no AlertNotificationTarget of these files; it must be configured" in found.lints[0]
    assert ("pager",) == found.objectives[0].policies[0].targets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{kind: outage, lookbackWindow: 5m}", ConditionKind.OUTAGE),
        ("{kind: BUDGET_REMAINING, threshold: 0.25, op: lt}", ConditionKind.BUDGET_REMAINING),
        ("{kind: budget_drop, threshold: 0.1, lookbackWindow: 1h}", ConditionKind.BUDGET_DROP),
        ("{kind: budget_drop, threshold: 1, lookbackWindow: 1h}", ConditionKind.BUDGET_DROP),
        ("{kind: time_to_exhaustion, threshold: 3}", ConditionKind.TIME_TO_EXHAUSTION),
        ("{kind: absent, alertAfter: 30m}", ConditionKind.ABSENT),
    ],
)
def test_kinds_of_our_own(text: str, expected: ConditionKind) -> None:
    findings = Findings()
    found = condition("c", Section(documents(f"severity: ticket\ncondition: {text}")[0], "spec", findings))

    assert found is not None
    assert (expected, [], []) == (found.kind, findings.errors, findings.lints)


def test_a_budget_that_remains_runs_out_and_is_not_exceeded() -> None:
    findings = Findings()
    condition(
        "c",
        Section(documents("severity: x\ncondition: {kind: budget_remaining, threshold: 1, op: gt}")[0], "", findings),
    )

    assert ["f0.yaml:2: condition.op: gt would fire while all is well; it is read as lte"] == findings.lints


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("threshold: 2", "threshold: 0", "condition.threshold: found 0, allowed a number above 0"),
        ("threshold: 2, ", "", "condition.threshold: found nothing, allowed a number above 0"),
        (
            "threshold: 2",
            "kind: budget_drop, threshold: 10",
            "f0.yaml:11: spec.alertPolicies[0].spec.conditions[0].spec.condition.threshold: found 10, allowed a share",
        ),
        (
            "threshold: 2, lookbackWindow: 1h",
            "kind: budget_remaining, threshold: 1.01",
            "condition.threshold: found 1.01, allowed a share of the budget, above 0 and at most 1",
        ),
        ("lookbackWindow: 1h", "lookbackWindow: 10s", "condition.lookbackWindow: found '10s', allowed a whole"),
        (", lookbackWindow: 1h", "", "condition.lookbackWindow: found nothing, allowed a whole number"),
        ("threshold: 2", "kind: rate, threshold: 2", "condition.kind: found 'rate', allowed burnrate, outage, "),
        ("threshold: 2", "op: eq, threshold: 2", "condition.op: found 'eq', allowed lte, gte, lt, gt"),
        ("severity: page, ", "", "severity: found nothing, allowed a word such as page or ticket"),
        (
            "condition: {threshold: 2, lookbackWindow: 1h}",
            "x: 1",
            "x: found unknown key, allowed description, severity",
        ),
        ("kind: AlertCondition,", "kind: SLO,", "conditions[0].kind: found 'SLO', allowed AlertCondition"),
        ("metadata: {name: c}", "operator: or, metadata: {name: c}", "conditions[0].operator: found 'or', allowed and"),
        ("{target: slack}", "{}", "target: found nothing, allowed a word such as slack or webhook"),
    ],
)
def test_a_mistake_in_a_policy(old: str, new: str, expected: str) -> None:
    with pytest.raises(ObjectiveError) as told:
        loaded(inline(old, new))

    assert expected in str(told.value)


def test_conditions_and_descriptions_are_bounded() -> None:
    one = "{metadata: {name: c}, spec: {severity: page, condition: {threshold: 2, lookbackWindow: 1h}}}"
    for many, long in (
        (CONDITIONS_MAX, DESCRIPTION_CHARACTERS_MAX),
        (CONDITIONS_MAX + 1, DESCRIPTION_CHARACTERS_MAX + 1),
    ):
        policy = (
            f"[{{metadata: {{name: p}}, spec: {{description: {'x' * long}, conditions: [{', '.join([one] * many)}]}}}}]"
        )
        if many == CONDITIONS_MAX:
            assert many == len(loaded(slo(alertPolicies=policy)).objectives[0].policies[0].conditions)
            continue
        with pytest.raises(
            ObjectiveError, match=r"found 1051 characters, allowed at most 1050 characters \(1 more wrong\)"
        ):
            loaded(slo(alertPolicies=policy))
