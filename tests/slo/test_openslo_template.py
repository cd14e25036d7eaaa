"""SLOs that name a template."""

from dataclasses import replace

import pytest
from slo_texts import loaded, slo

from slo.errors import ObjectiveError
from slo.expression import parse
from slo.openslo import Loaded
from slo.openslo_template import FLOW
from slo.stages import STAGES_MAX
from slo.terms import written
from slo.wholes import Flow
from telemetry.queries.asked import Dim


def of(template: str, **keys: str) -> Loaded:
    return loaded(slo(template=template, **{"indicator": "", "objectives": "", "budgetingMethod": "", **keys}))


def test_a_template_alone_is_an_objective() -> None:
    (one,) = of("endpoint_good_request").objectives

    assert ("chat", 0.99, "endpoint_good_request") == (one.name, one.target, one.template)


def test_a_number_wins_over_the_preset_and_the_target_over_the_templates() -> None:
    parameters = "{preset: 70b_interactive, tpot_s: 0.1, filter: \"endpoint == 'chat'\", group_by: [model]}"
    (one,) = of("endpoint_interactive", parameters=parameters).objectives
    (other,) = loaded(slo(indicator="", template="endpoint_p99_sla", target="targetPercent: 99.9")).objectives

    assert "ok and (ttft_s <= 0.45) and (tpot_s <= 0.1)" == written(one.indicator.good or False)
    assert ("endpoint == 'chat'", (Dim.MODEL,)) == (written(one.indicator.only or False), one.indicator.group_by)
    assert 0.999 == other.target


def test_availability_of_one_region_is_counted_by_region() -> None:
    (single,), (multi,), (peak,) = (
        of(name).objectives
        for name in ("availability_single_region", "availability_multi_region", "production_error_peak")
    )

    assert ((Dim.REGION,), ()) == (single.indicator.group_by, multi.indicator.group_by)
    assert () == of("production_error_peak").lints
    assert (False, True, 0.997) == (multi.peak_only, peak.peak_only, peak.target)


def test_each_stage_of_a_flow_is_an_objective_and_so_is_the_flow() -> None:
    image = "{name: image, match: \"endpoint == 'i'\", budget_s: 4, p50_s: 2, p95_s: 4}"
    video = "{name: video, match: stream, budget_s: 40, optional: true}"
    found = of("media_pipeline", stages=f"[{image}, {video}]", parameters="{filter: \"region == 'eu'\"}")

    assert [
        ("chat/image", "ok and (e2e_s <= 4)", "(region == 'eu') and (endpoint == 'i')"),
        ("chat/video", "ok and (e2e_s <= 40)", "(region == 'eu') and stream"),
    ] == [
        (one.name, written(one.indicator.good or False), written(one.indicator.only or False))
        for one in found.objectives[:-1]
    ]
    flow = found.objectives[-1]
    assert (flow.name, flow.indicator.good, written(flow.indicator.only or False)) == (
        "chat/flow",
        None,
        "region == 'eu'",
    )
    assert isinstance(flow.whole, Flow)
    assert (written(flow.whole.last), flow.whole.budget_s) == ("endpoint == 'i'", 50.0), "the last that is not optional"
    assert [(2.0, False), (None, True)] == [(one.p50_s, one.optional) for one in flow.whole.stages]
    assert ["chat/text-to-image", "chat/image-to-video", "chat/voiceover", "chat/flow"] == [
        one.name for one in of("media_pipeline").objectives
    ]


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("workflow_latency", "the last of a flow (`last` in parameters, or stages)"),
        ("workflow_completion", "the last of a flow (`last` in parameters, or stages)"),
        ("batch_throughput", "how many items a job has (`items` in parameters)"),
    ],
)
def test_what_says_too_little_is_accepted_and_not_counted_and_the_line_is_named(name: str, missing: str) -> None:
    found = of(name)

    assert ((), ("chat",)) == (found.objectives, found.foreign)
    assert found.lints[0].startswith("f0.yaml:7: spec.template: ")
    assert missing in found.lints[0]


def test_a_workflow_says_by_an_expression_or_by_stages_which_step_is_the_last() -> None:
    stages = "[{name: plan, match: \"model == 'p'\", budget_s: 5}, {name: write, match: stream, budget_s: 9}]"
    (said,) = of("workflow_latency", parameters="{last: \"model == 'w'\", budget_s: 20}", stages=stages).objectives
    (staged,) = of("workflow_completion", stages=stages).objectives

    assert isinstance(said.whole, Flow)
    assert isinstance(staged.whole, Flow)
    assert replace(said.whole, stages=()) == Flow(last=parse("model == 'w'"), budget_s=20.0)
    assert replace(staged.whole, stages=()) == Flow(last=parse("stream"), budget_s=300.0, may_resume=True)
    assert [one.name for one in staged.whole.stages] == ["plan", "write"]
    assert (said.name, said.indicator.good, said.template) == ("chat", None, "workflow_latency")


def test_a_stage_that_may_come_from_a_cache_is_not_waited_for() -> None:
    cached = "{name: b, match: stream, budget_s: 1, cached_ok: true}"
    flow = of("media_pipeline", stages=f"[{{name: a, match: ok, budget_s: 1}}, {cached}]").objectives[-1]
    quick = of("media_pipeline", parameters="{preset: near_real_time}")

    assert isinstance(flow.whole, Flow)
    assert written(flow.whole.last) == "ok"
    assert isinstance(quick.objectives[-1].whole, Flow)
    assert quick.objectives[-1].whole.budget_s == 20.0
    assert "add up to 49 s, more than the 20 s of the flow" in quick.lints[0]


def test_a_flow_without_a_last_step_leaves_its_stages() -> None:
    found = of("media_pipeline", stages="[{name: a, match: ok, budget_s: 1, optional: true}]")

    assert ["chat/a"] == [one.name for one in found.objectives]
    assert "the stages are counted, the flow is not" in " ".join(found.lints)


@pytest.mark.parametrize(
    ("template", "keys", "expected"),
    [
        ("nothing", {}, "template: found 'nothing', allowed endpoint_good_request, "),
        ("endpoint_interactive", {"parameters": "{preset: 7b}"}, "preset: found '7b', allowed 70b, 70b_interactive"),
        ("endpoint_p99_sla", {"parameters": "{preset: 7b}"}, "preset: found '7b', allowed no preset"),
        ("endpoint_p99_sla", {"parameters": "{sla_s: -1}"}, "sla_s: found -1, allowed a number of at least 0"),
        ("endpoint_p99_sla", {"objectives": "[{}, {}]"}, "objectives: found 2 objectives, allowed at most one"),
        ("endpoint_p99_sla", {"parameters": "{ttft_s: 1}"}, "ttft_s: found unknown key, allowed preset, sla_s, "),
        (
            "endpoint_p99_sla",
            {"stages": "[{name: a, match: ok, budget_s: 1}]"},
            "stages: found a list, allowed stages only",
        ),
        ("endpoint_p99_sla", {"indicatorRef": "x"}, "indicatorRef: found both, allowed template, or an indicator"),
        (
            "media_pipeline",
            {"stages": "[{name: a, match: ok, budget_s: 0}]"},
            "budget_s: found 0, allowed seconds, above 0",
        ),
        (
            "media_pipeline",
            {"stages": "[{name: a, match: x, budget_s: 1}]"},
            "match: found 'x' at character 1, allowed api",
        ),
        ("media_pipeline", {"stages": "[{match: ok, budget_s: 1}]"}, "stages[0].name: found nothing, allowed a text"),
        (
            "media_pipeline",
            {"stages": "[{name: a, match: ok, budget_s: 1}, {name: a, match: ok, budget_s: 1}]"},
            "stages[1].name: found 'a', allowed each name once",
        ),
        (
            "media_pipeline",
            {"stages": f"[{{name: {FLOW}, match: ok, budget_s: 1}}]"},
            "stages[0].name: found 'flow', allowed each name once, and not flow",
        ),
    ],
)
def test_a_mistake_in_a_template(template: str, keys: dict[str, str], expected: str) -> None:
    with pytest.raises(ObjectiveError) as told:
        of(template, **keys)

    assert expected in str(told.value)


def test_stages_are_bounded_and_budgets_looked_at() -> None:
    def stages(n: int) -> str:
        return "[" + ", ".join(f"{{name: s{at}, match: ok, budget_s: 10}}" for at in range(n)) + "]"

    found = of("media_pipeline", stages=stages(STAGES_MAX))

    assert STAGES_MAX + 1 == len(found.objectives), "and the flow"
    assert "the budgets of the stages add up to 200 s, more than the 50 s of the flow" in found.lints[0]
    with pytest.raises(ObjectiveError, match="found 21 stages, allowed at most 20"):
        of("media_pipeline", stages=stages(STAGES_MAX + 1))
