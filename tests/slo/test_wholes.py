"""What several requests together are, in words and as what counts."""

from dataclasses import replace

from slo.expression import parse
from slo.wholes import NAIVE_BOUND, Call, Flow, Job, Whole, events, facts, parameters, words

CALL = Call(retry_s=60)
JOB = Job(deadline_s=3_600, items=500)
FLOW = Flow(last=parse("model == 'w'"), budget_s=20.0)


def test_a_flow_is_said_in_words_and_as_parameters_of_its_template() -> None:
    assert words(FLOW) == "flows, done by (model == 'w') within 20 s; needs target.workflow_header"
    assert "resumed after a failure" in words(replace(FLOW, may_resume=True))
    assert parameters(FLOW) == ("workflow_latency", {"budget_s": 20.0, "last": "model == 'w'"})
    assert parameters(replace(FLOW, may_resume=True))[0] == "workflow_completion"


def test_a_job_is_said_in_words_and_as_parameters_of_its_template() -> None:
    unknown, sliced = replace(JOB, items=None), replace(JOB, by_slice=True)

    assert words(JOB).startswith("items, done within 3600 s of the first item of their job; of 500, the rest is bad")
    assert "those that fail or come late are bad" in words(unknown)
    assert words(sliced).startswith("slices of 10 min, fast enough for 500 items within 3600 s of")
    assert parameters(JOB) == ("batch_deadline", {"deadline_s": 3_600, "items": 500})
    assert parameters(unknown) == ("batch_deadline", {"deadline_s": 3_600})
    assert parameters(sliced)[0] == "batch_throughput"
    assert [events(one) for one in (None, FLOW, JOB, sliced)] == ["requests", "flows", "items", "slices"]


def test_what_is_promised_of_several_regions_stands_beside_the_naive_bound() -> None:
    assert words(CALL) == f"calls, of which the last attempt counts, told apart by their trace; {NAIVE_BOUND}"
    assert "1-0.01^2 = 99.99 %" in NAIVE_BOUND
    assert parameters(CALL) == ("availability_multi_region", {"retry_s": 60})
    assert events(CALL) == "calls"


def test_what_counts_differs_if_any_of_it_does() -> None:
    changed: list[Whole] = [
        FLOW,
        replace(FLOW, budget_s=21),
        replace(FLOW, may_resume=True),
        replace(FLOW, last=parse("ok")),
    ]
    changed += [
        CALL,
        replace(CALL, retry_s=1),
        JOB,
        replace(JOB, items=None),
        replace(JOB, by_slice=True),
        replace(JOB, deadline_s=1),
    ]

    assert len({str(facts(one)) for one in changed}) == len(changed)
