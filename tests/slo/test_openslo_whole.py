"""What a template says of flows, and what is wrong with it."""

import pytest
from slo_texts import loaded, slo

from slo.errors import ObjectiveError
from slo.openslo import Loaded
from telemetry.queries.flows import BUDGET_S_MAX


def of(template: str, parameters: str) -> Loaded:
    return loaded(slo(template=template, parameters=parameters, indicator="", objectives="", budgetingMethod=""))


@pytest.mark.parametrize(
    ("template", "parameters", "expected"),
    [
        ("workflow_latency", "{last: speed > 1}", "last: found 'speed' at character 1, allowed api, "),
        ("workflow_latency", "{last: ok, budget_s: 0}", "budget_s: found 0, allowed seconds, above 0, at most 86400"),
        (
            "workflow_completion",
            f"{{last: ok, budget_s: {BUDGET_S_MAX + 1}}}",
            "allowed seconds, above 0, at most 86400",
        ),
        ("endpoint_p99_sla", "{last: ok}", "last: found unknown key"),
    ],
)
def test_a_mistake_names_file_line_and_what_is_allowed(template: str, parameters: str, expected: str) -> None:
    with pytest.raises(ObjectiveError) as told:
        of(template, parameters)

    assert str(told.value).startswith("f0.yaml:")
    assert expected in str(told.value)


def test_a_budget_may_be_as_long_as_the_bound() -> None:
    (one,) = of("workflow_latency", f"{{last: ok, budget_s: {BUDGET_S_MAX}}}").objectives

    assert one.whole is not None
    assert one.whole.budget_s == BUDGET_S_MAX
