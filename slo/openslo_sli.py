"""Knows how OpenSLO writes an indicator, and what our own metric source says in it; refuses to know targets.

Our source is `type: inferometer`. The numerator says what a request must be (`expr`), the denominator which requests
are meant (`filter`, `eligible`, `group_by`, `traffic`, `censor`, `also_bad`, `also_excluded`). A threshold metric has
all of these keys; its `expr` is a number that the objective compares with `op` and `value`.

Source: OpenSLO v1 README, SLI; spec/slo.md 1, 3.
"""

from dataclasses import dataclass
from enum import StrEnum

from slo.documents import Section
from slo.errors import ObjectiveError
from slo.expression import parse
from slo.objective import GROUP_DIMS, Indicator, Traffic
from slo.openslo_alerts import DESCRIPTION_CHARACTERS_MAX, Op
from slo.openslo_index import Index, Kind
from slo.terms import Both, Condition, Not
from telemetry.outcome import Outcome
from telemetry.queries.counted import Left

SOURCE_TYPE = "inferometer"
_SIGNS = {Op.LTE: "<=", Op.LT: "<", Op.GTE: ">=", Op.GT: ">"}


class Censor(StrEnum):
    """How a request counts that its client left."""

    DEFAULT = "default"
    EXCLUDED = "excluded"
    BAD = "bad"


class RawType(StrEnum):
    """What a stored ratio is a ratio of."""

    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sli:
    """An indicator as it was written.

    Attributes:
        indicator: What we count; None where the numbers are another system's, or a mistake.
        foreign: Type of the other system; empty if the numbers are ours, or a mistake.
        threshold: The text that an objective still has to compare with a number; empty if there is none.
    """

    indicator: Indicator | None = None
    foreign: str = ""
    threshold: str = ""


def sli(spec: Section, index: Index) -> Sli:
    """Return an indicator."""
    spec.text("description", most=DESCRIPTION_CHARACTERS_MAX)
    threshold, ratio = spec.section("thresholdMetric"), spec.section("ratioMetric")
    spec.end()
    if (threshold is None) == (ratio is None):
        spec.wrong("thresholdMetric", "one of thresholdMetric and ratioMetric", "none" if threshold is None else "both")
        return Sli()
    if threshold is not None:
        return _threshold(threshold, index)
    return _ratio(ratio, index) if ratio is not None else Sli()


def compared(found: Sli, op: Op, value: float, section: Section) -> Indicator | None:
    """Return the indicator of a threshold metric once the objective has said what it is compared with."""
    good = _expression(section, "value", f"({found.threshold}) {_SIGNS[op]} {value!r}")
    given = found.indicator
    if given is None or good is None:
        return None
    return Indicator(
        good=good,
        only=given.only,
        eligible=given.eligible,
        group_by=given.group_by,
        traffic=given.traffic,
        left=given.left,
        also_bad=given.also_bad,
        also_excluded=given.also_excluded,
    )


def counted_requests(spec: Section, good: Condition | None, only: Condition | None = None) -> Indicator:
    """Return an indicator from the keys that say which requests are meant, and how they count."""
    chosen = [one for one in (only, _condition(spec, "filter")) if one is not None]
    eligible = None if spec.text("eligible") in {"", "default"} else _condition(spec, "eligible")
    censor = spec.choice("censor", Censor, default=Censor.DEFAULT)
    return Indicator(
        good=good,
        only=Both(tuple(chosen)) if len(chosen) > 1 else chosen[0] if chosen else None,
        eligible=eligible,
        group_by=spec.members("group_by", GROUP_DIMS),
        traffic=spec.choice("traffic", Traffic, default=Traffic.USER) or Traffic.USER,
        left={Censor.EXCLUDED: Left.EXCLUDED, Censor.BAD: Left.BAD}.get(censor or Censor.DEFAULT, Left.JUDGED),
        also_bad=spec.members("also_bad", tuple(Outcome)),
        also_excluded=spec.members("also_excluded", tuple(Outcome)),
    )


def _threshold(metric: Section, index: Index) -> Sli:
    kind, spec = _source(metric, index)
    metric.end()
    if kind != SOURCE_TYPE or spec is None:
        return Sli(foreign=kind)
    text = spec.text("expr", required=True, allowed="a number of a request, for example ttft_s")
    indicator = counted_requests(spec, None)
    spec.end()
    return Sli(indicator=indicator, threshold=text)


def _ratio(metric: Section, index: Index) -> Sli:
    metric.flag("counter", default=True)
    given = [name for name in ("good", "bad", "total", "raw") if name in metric]
    raw_type = metric.choice("rawType", RawType, default=RawType.SUCCESS)
    if given not in (["good", "total"], ["bad", "total"], ["raw"]) or ("raw" in given and "rawType" not in metric):
        metric.wrong("total", "good and total, bad and total, or raw and rawType", ", ".join(given) or "nothing")
        metric.taken += ["good", "bad", "total", "raw"]
        metric.end()
        return Sli()
    sources = [_source(section, index) for name in given if (section := metric.section(name)) is not None]
    metric.end()
    kinds = {kind for kind, _ in sources}
    if kinds != {SOURCE_TYPE}:
        return Sli(foreign=", ".join(sorted(kinds)))
    if raw_type is None or given == ["raw"]:
        metric.wrong("raw", f"good and total, or bad and total, where the type is {SOURCE_TYPE}", "a ratio")
        return Sli()
    return _counted(sources[0][1], sources[1][1], bad=given[0] == "bad")


def _counted(numerator: Section | None, denominator: Section | None, *, bad: bool) -> Sli:
    if numerator is None or denominator is None:
        return Sli()
    found = _condition(numerator, "expr", required=True)
    only = _condition(numerator, "filter")
    numerator.end()
    indicator = counted_requests(denominator, None if found is None else Not(found) if bad else found, only)
    denominator.end()
    return Sli(indicator=indicator) if found is not None else Sli()


def _source(metric: Section, index: Index) -> tuple[str, Section | None]:
    """Return the type of a metric source, lower case, and its `spec`."""
    inner = metric.section("metricSource")
    metric.end()
    if inner is None:
        metric.wrong("metricSource", "a mapping with type or metricSourceRef, and spec")
        return "", None
    kind = inner.text("type").lower() or _type_of(inner, index)
    inner.text("metricSourceRef")
    spec = inner.section("spec")
    inner.end()
    if spec is None:
        inner.wrong("spec", "a mapping")
    return kind, spec


def _type_of(inner: Section, index: Index) -> str:
    if "metricSourceRef" not in inner:
        inner.wrong("type", f"{SOURCE_TYPE}, or another, or metricSourceRef")
        return ""
    found = index.named(
        Kind.DATA_SOURCE, inner.text("metricSourceRef"), inner.place("metricSourceRef"), inner.path("metricSourceRef")
    )
    return "" if found is None else found[1].text("type").lower()


def _condition(section: Section, name: str, *, required: bool = False) -> Condition | None:
    text = section.text(name, required=required, allowed="an expression, for example ttft_s <= 1")
    return _expression(section, name, text) if text else None


def _expression(section: Section, name: str, text: str) -> Condition | None:
    try:
        return parse(text)
    except ObjectiveError as error:
        section.wrong(name, error.allowed, error.found)
        return None
