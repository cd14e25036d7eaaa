"""Indicators: which keys, and what is refused."""

import pytest
from slo_texts import loaded, slo, threshold_sli

from slo.errors import ObjectiveError
from slo.objective import Traffic
from telemetry.outcome import Outcome
from telemetry.queries.counted import Left

GOOD = 'good: {metricSource: {type: inferometer, spec: {expr: "ok"}}}'
TOTAL = "total: {metricSource: {type: inferometer, spec: {eligible: default}}}"


def test_our_keys_say_which_requests_count_and_how() -> None:
    spec = (
        "{filter: \"endpoint == 'chat'\", eligible: \"outcome != 'auth'\", group_by: [region], traffic: probe,"
        " censor: excluded, also_bad: [not_found], also_excluded: [rate_limited]}"
    )
    text = slo().replace("{eligible: default}", spec).replace('{expr: "ok"}', '{expr: "ok", filter: "stream"}')
    found = loaded(text).objectives[0].indicator

    assert (Traffic.PROBE, Left.EXCLUDED, (Outcome.NOT_FOUND,), (Outcome.RATE_LIMITED,)) == (
        found.traffic,
        found.left,
        found.also_bad,
        found.also_excluded,
    )
    assert "Both" in type(found.only).__name__
    assert found.eligible is not None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (GOOD + ", ", "", "ratioMetric.total: found total, allowed good and total, bad and total, or raw and rawType"),
        (GOOD, GOOD + ", " + GOOD.replace("good:", "bad:"), "found good, bad, total, allowed good and total, "),
        (
            "ratioMetric: {" + GOOD + ", " + TOTAL + "}",
            "x: {}",
            "x: found unknown key, allowed description, thresholdMetric",
        ),
        ("ratioMetric:", "thresholdMetric: {}, ratioMetric:", "thresholdMetric: found both, allowed one of"),
        (
            GOOD,
            GOOD.replace("type: inferometer, ", ""),
            "metricSource.type: found nothing, allowed inferometer, or another",
        ),
        (GOOD, GOOD.replace(', spec: {expr: "ok"}', ""), "metricSource.spec: found nothing, allowed a mapping"),
        (GOOD, "good: {}", "good.metricSource: found nothing, allowed a mapping with type or metricSourceRef"),
        ('expr: "ok"', 'expr: "okay"', "spec.expr: found 'okay' at character 1, allowed api, complete, "),
        ('{expr: "ok"}', "{}", "spec.expr: found nothing, allowed an expression, for example ttft_s <= 1"),
        ('{expr: "ok"}', "{expr: ok, group_by: [model]}", "spec.group_by: found unknown key, allowed expr, filter"),
        (
            "{eligible: default}",
            "{group_by: [tenant]}",
            "group_by[0]: found 'tenant', allowed endpoint, model, region, ",
        ),
        ("{eligible: default}", "{traffic: all}", "traffic: found 'all', allowed user, probe, loadtest"),
        ("{eligible: default}", "{censor: drop}", "censor: found 'drop', allowed default, excluded, bad"),
        ("{eligible: default}", "{also_bad: [crash]}", "also_bad[0]: found 'crash', allowed ok, invalid_request, "),
        ("{eligible: default}", "{eligible: all}", "eligible: found 'all' at character 1, allowed api, "),
        (
            "type: inferometer, spec: {expr",
            "metricSourceRef: x, spec: {expr",
            "metricSourceRef: found 'x', allowed the name",
        ),
    ],
)
def test_a_mistake_in_an_indicator(old: str, new: str, expected: str) -> None:
    assert old in slo()
    with pytest.raises(ObjectiveError) as told:
        loaded(slo().replace(old, new))

    assert expected in str(told.value)


def test_a_threshold_of_another_system_is_accepted() -> None:
    found = loaded(slo(indicator=threshold_sli("expr: x").replace("inferometer", "Redshift")))

    assert ("chat",) == found.foreign


def test_a_stored_ratio_of_ours_is_refused_and_one_of_another_system_accepted() -> None:
    raw = "rawType: success, raw: {metricSource: {type: %s, spec: {}}}"
    old = f"{GOOD}, {TOTAL}"

    assert ("chat",) == loaded(slo().replace(old, raw % "prometheus")).foreign
    with pytest.raises(ObjectiveError, match="raw: found a ratio, allowed good and total, or bad and total, where"):
        loaded(slo().replace(old, raw % "inferometer"))
    with pytest.raises(ObjectiveError, match="found raw, allowed good and total, bad and total, or raw and rawType"):
        loaded(slo().replace(old, raw.removeprefix("rawType: success, ") % "prometheus"))
