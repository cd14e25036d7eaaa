"""Knows how an SLO names a template instead of an indicator; refuses to know what is in the templates.

    template: endpoint_interactive
    parameters: {preset: 70b, tpot_s: 0.1, filter: "endpoint == 'chat'", group_by: [model]}
    stages: [{name: voiceover, match: "endpoint == 'tts'", budget_s: 5}]      # of a flow, in their order

`template`, `parameters` and `stages` are ours; OpenSLO has no such keys. A number that is set wins over the preset, and
the preset over the template. The last step of a flow is the last stage that no flow goes without (it is neither
`optional` nor `cached_ok`), or what the parameter `last` says.

Source: spec/slo.md 2 (every number can be overridden; stages).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from slo import templates
from slo.documents import Section
from slo.errors import ObjectiveError
from slo.expression import parse
from slo.objective import Indicator
from slo.openslo_sli import counted_requests
from slo.openslo_whole import made_up
from slo.stages import MEDIA_PIPELINE, STAGES_MAX, Stage, notes
from slo.templates import TEMPLATES, Counts, Template
from slo.terms import Both, Condition
from slo.wholes import Whole

FLOW = "flow"
"""Name of the objective of the flow itself, beside those of its stages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A template that an SLO uses.

    Attributes:
        name: Of the template.
        template: The template.
        indicators: What is counted, by the name of the stage, or `FLOW`; empty where there is one objective.
        wholes: What the requests of an indicator make up, by the same names.
        stages: Stages of a flow.
    """

    name: str
    template: Template
    indicators: Mapping[str, Indicator]
    wholes: Mapping[str, Whole] = field(default_factory=dict[str, Whole])
    stages: tuple[Stage, ...] = ()


def used(spec: Section) -> Use | None:
    """Return the template of an SLO; None if it is a mistake."""
    name = spec.text("template")
    template = TEMPLATES.get(name)
    parameters, stages = spec.section("parameters"), _stages(spec)
    if template is None:
        spec.wrong("template", ", ".join(TEMPLATES))
        return None
    if stages and template.counts not in {Counts.STAGES, Counts.FLOWS}:
        spec.wrong("stages", "stages only where the template counts them")
    given = _numbers(parameters, template) if parameters else {}
    base = counted_requests(parameters, templates.good(template, given)) if parameters else _plain(template, given)
    if template.group_by and not base.group_by:
        base = replace(base, group_by=template.group_by)
    chosen = stages or (MEDIA_PIPELINE if template.counts is Counts.STAGES else ())
    whole = made_up(template, {**template.numbers, **given}, parameters, chosen)
    if parameters:
        parameters.end()
    wholes = {} if whole is None else {"": whole}
    use = Use(name=name, template=template, indicators={"": base}, wholes=wholes, stages=chosen)
    return _staged(use, spec, {**template.numbers, **given}) if template.counts is Counts.STAGES else use


def _staged(use: Use, spec: Section, numbers: Mapping[str, float]) -> Use:
    """Return a use with an objective for each stage, and one for the flow itself."""
    for note in notes(use.stages, numbers["budget_s"]):
        spec.lint("stages" if "stages" in spec else "template", note)
    base, flow = use.indicators[""], use.wholes.get("")
    indicators = {one.name: _of_stage(one, base, use.template) for one in use.stages}
    if flow is None:
        return replace(use, indicators=indicators)
    return replace(use, indicators={**indicators, FLOW: replace(base, good=None)}, wholes={FLOW: flow})


def _plain(template: Template, numbers: Mapping[str, float]) -> Indicator:
    return Indicator(good=templates.good(template, numbers))


def _numbers(parameters: Section, template: Template) -> dict[str, float]:
    preset = parameters.text("preset")
    if preset and preset not in template.presets:
        parameters.wrong("preset", ", ".join(template.presets) or "no preset: the template has none")
    found = dict(template.presets.get(preset, {}))
    for name in template.numbers:
        number = parameters.number(name, "a number of at least 0")
        if number is not None and number < 0:
            parameters.wrong(name, "a number of at least 0")
        elif number is not None:
            found[name] = number
    return found


def _stages(spec: Section) -> tuple[Stage, ...]:
    found: list[Stage] = []
    for section in spec.sections("stages"):
        stage = _stage(section)
        if stage.name == FLOW or any(one.name == stage.name for one in found):
            section.wrong("name", f"each name once, and not {FLOW}")
        found.append(stage)
    if len(found) > STAGES_MAX:
        spec.wrong("stages", f"at most {STAGES_MAX}", f"{len(found)} stages")
    return tuple(found)


def _stage(section: Section) -> Stage:
    allowed = "seconds, above 0"
    match = section.text("match", required=True, allowed="an expression, for example endpoint == 'tts'")
    try:
        parse(match or "true")
    except ObjectiveError as error:
        section.wrong("match", error.allowed, error.found)
        match = ""
    stage = Stage(
        name=section.text("name", required=True),
        match=match or "true",
        budget_s=section.number("budget_s", allowed, required=True) or 0.0,
        p50_s=section.number("p50_s", allowed),
        p95_s=section.number("p95_s", allowed),
        optional=section.flag("optional", default=False),
        cached_ok=section.flag("cached_ok", default=False),
    )
    if stage.budget_s <= 0:
        section.wrong("budget_s", allowed)
    section.end()
    return stage


def _of_stage(stage: Stage, base: Indicator, template: Template) -> Indicator:
    match: Condition = parse(stage.match)
    only = match if base.only is None else Both((base.only, match))
    return replace(base, only=only, good=templates.good(template, {"budget_s": max(stage.budget_s, 0.0)}))
