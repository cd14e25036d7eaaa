"""What a template says of flows and jobs, and what is wrong with it."""

import pytest
from slo_texts import loaded, slo

from slo.errors import ObjectiveError
from slo.expression import parse
from slo.objective import Budgeting
from slo.openslo import Loaded
from slo.wholes import Call, Flow, Job
from telemetry.queries.calls import WAIT_S_MAX
from telemetry.queries.flows import BUDGET_S_MAX
from telemetry.queries.jobs import DEADLINE_S_MAX, ITEMS_MAX


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
        ("batch_deadline", "{deadline_s: 0}", "deadline_s: found 0, allowed seconds, above 0, at most 604800"),
        ("batch_deadline", f"{{deadline_s: {DEADLINE_S_MAX + 1}}}", "allowed seconds, above 0, at most 604800"),
        ("batch_throughput", "{items: 0}", "items: found 0, allowed a whole number from 1 to 1000000000"),
        ("batch_throughput", "{items: 1.5}", "items: found 1.5, allowed a whole number"),
        ("batch_deadline", f"{{items: {ITEMS_MAX + 1}}}", "allowed a whole number from 1 to 1000000000"),
        ("batch_deadline", "{last: ok}", "last: found unknown key"),
        ("availability_multi_region", "{retry_s: 0}", "retry_s: found 0, allowed seconds, above 0, at most 3600"),
        ("availability_multi_region", f"{{retry_s: {WAIT_S_MAX + 1}}}", "allowed seconds, above 0, at most 3600"),
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

    assert one.whole == Flow(last=parse("ok"), budget_s=BUDGET_S_MAX)


def test_a_call_says_how_long_it_waits_for_its_retry() -> None:
    (usual,), (longest,) = (
        of("availability_multi_region", text).objectives for text in ("{}", f"{{retry_s: {WAIT_S_MAX}}}")
    )

    assert (usual.whole, longest.whole) == (Call(retry_s=60), Call(retry_s=WAIT_S_MAX))


def test_a_job_says_its_deadline_and_how_many_items_it_has() -> None:
    (plain,) = of("batch_deadline", "{}").objectives
    (known,) = of("batch_deadline", f"{{deadline_s: {DEADLINE_S_MAX}, items: {ITEMS_MAX}}}").objectives
    (sliced,) = of("batch_throughput", "{deadline_s: 3600, items: 500}").objectives

    assert plain.whole == Job(deadline_s=86_400)
    assert known.whole == Job(deadline_s=DEADLINE_S_MAX, items=ITEMS_MAX)
    assert sliced.whole == Job(deadline_s=3_600, items=500, by_slice=True)
    assert (plain.budgeting, sliced.budgeting, sliced.target) == (Budgeting.OCCURRENCES, Budgeting.OCCURRENCES, 0.95)
