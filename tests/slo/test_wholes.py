"""What several requests together are, in words and as what counts."""

from dataclasses import replace

from slo.expression import parse
from slo.wholes import Flow, facts, parameters, words

FLOW = Flow(last=parse("model == 'w'"), budget_s=20.0)


def test_a_flow_is_said_in_words_and_as_parameters_of_its_template() -> None:
    assert words(FLOW) == "flows, done by (model == 'w') within 20 s; needs target.workflow_header"
    assert "resumed after a failure" in words(replace(FLOW, may_resume=True))
    assert parameters(FLOW) == ("workflow_latency", {"budget_s": 20.0, "last": "model == 'w'"})
    assert parameters(replace(FLOW, may_resume=True))[0] == "workflow_completion"


def test_what_counts_differs_if_any_of_it_does() -> None:
    changed = [FLOW, replace(FLOW, budget_s=21), replace(FLOW, may_resume=True), replace(FLOW, last=parse("ok"))]

    assert len({str(facts(one)) for one in changed}) == len(changed)
