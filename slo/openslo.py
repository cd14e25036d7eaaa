"""Knows how OpenSLO v1 documents become objectives; refuses to read files.

Source: OpenSLO v1 README (kinds, keys, bounds); spec/slo.md 1, and 4 for time windows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from slo.budget import EmptySlice
from slo.burn_catalogue import CATALOGUES, FIXED_WINDOWS
from slo.documents import Findings, Section, Written
from slo.objective import Budgeting, Indicator, Objective, Rolling
from slo.openslo_alerts import DESCRIPTION_CHARACTERS_MAX, Op, condition, policies, policy, target
from slo.openslo_index import Index, Kind
from slo.openslo_parts import slices, target_ratio, window
from slo.openslo_sli import SOURCE_TYPE, Sli, compared, sli
from slo.openslo_template import Use, used
from slo.openslo_whole import missing
from slo.reach import reaches
from slo.templates import Counts
from slo.windows import Reachability

OBJECTIVES_MAX = 100
"""Objectives of one SLO."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a set of files says.

    Attributes:
        objectives: Those that we count, in the order of files.
        foreign: SLOs whose numbers are another system's, or are not of requests: accepted, and not evaluated here.
        targets: Names of the notification targets.
        lints: What is worth a word though it is not wrong, with file and line.
    """

    objectives: tuple[Objective, ...] = ()
    foreign: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    lints: tuple[str, ...] = ()


def load(documents: Sequence[Written]) -> Loaded:
    """Return what documents say, all files together.

    Raises:
        ObjectiveError: Something is wrong; the first mistake, and how many more there are.
    """
    findings = Findings()
    index = Index(documents, findings)
    _check_parts(index)
    objectives: list[Objective] = []
    foreign: list[str] = []
    for name, spec, labels in index.of(Kind.SLO):
        found = _Slo(name, spec, labels, index)
        objectives += found.objectives()
        foreign += [name] if found.foreign else []
    findings.check()
    for one in objectives:
        _look_at_reach(one, findings)
    findings.check()
    targets = tuple(name for name, _, _ in index.of(Kind.ALERT_NOTIFICATION_TARGET))
    lints = tuple(dict.fromkeys(findings.lints))
    return Loaded(objectives=tuple(objectives), foreign=tuple(foreign), targets=targets, lints=lints)


def _check_parts(index: Index) -> None:
    """Look at what stands alone, so that a mistake is told though nobody refers to it."""
    for _, spec, _ in index.of(Kind.SLI):
        sli(spec, index)
    for name, spec, _ in index.of(Kind.ALERT_POLICY):
        policy(name, spec, index)
    for name, spec, _ in index.of(Kind.ALERT_CONDITION):
        condition(name, spec)
    for name, spec, _ in index.of(Kind.ALERT_NOTIFICATION_TARGET):
        target(name, spec)
    for _, spec, _ in index.of(Kind.SERVICE):
        spec.text("description", most=DESCRIPTION_CHARACTERS_MAX)
        spec.end()
    for _, spec, _ in index.of(Kind.DATA_SOURCE):
        spec.text("description", most=DESCRIPTION_CHARACTERS_MAX)
        spec.text("type", required=True)
        spec.raw("connectionDetails")
        spec.end()


def _look_at_reach(objective: Objective, findings: Findings) -> None:
    for one in reaches(objective):
        told = f"a burn rate of {one.rule.burn:g}, which needs {one.ratio:.3g} of all requests to be bad"
        if one.can_fire is Reachability.NEVER:
            allowed = (
                f"less than {1 / (1 - objective.target):.4g} at a target of {objective.target:g}: it can never fire"
            )
            findings.error(one.where, objective.name, told, allowed)
        elif one.can_fire is Reachability.BARELY:
            findings.lint(one.where, objective.name, f"{told}: it fires in an outage alone")


class _Slo:
    """One SLO on its way to objectives.

    Attributes:
        foreign: Whether its numbers are another system's, or are not of requests.
    """

    def __init__(self, name: str, spec: Section, labels: Mapping[str, tuple[str, ...]], index: Index) -> None:
        self._name, self._spec, self._labels, self._index = name, spec, labels, index
        self.foreign = False

    def objectives(self) -> list[Objective]:
        spec = self._spec
        use = used(spec) if "template" in spec else None
        common = Objective(
            name=self._name,
            service=spec.text("service", required=True),
            description=spec.text("description", most=DESCRIPTION_CHARACTERS_MAX),
            target=use.template.target if use else 0.0,
            window=window(spec) or Rolling(length_s=0),
            budgeting=spec.choice("budgetingMethod", Budgeting, default=self._usual_method()) or Budgeting.OCCURRENCES,
            empty_slice=spec.choice("emptySlice", EmptySlice, default=EmptySlice.GOOD) or EmptySlice.GOOD,
            policies=policies(spec, self._index),
            catalogue=self._catalogue(),
            labels=self._labels,
            where=spec.place("objectives"),
            template=use.name if use else "",
            peak_only=use.template.peak_only if use else False,
        )
        found = self._of_template(use, common) if "template" in spec else self._of_indicator(common)
        spec.end()
        return found

    def _usual_method(self) -> Budgeting | None:
        """Return the method where none is written; without a template one must be."""
        return Budgeting.OCCURRENCES if "template" in self._spec else None

    def _catalogue(self) -> str:
        name = self._spec.text("burnWindows")
        if name and name not in CATALOGUES:
            self._spec.wrong("burnWindows", ", ".join(CATALOGUES))
        return name if name in CATALOGUES else FIXED_WINDOWS.name

    def _of_template(self, use: Use | None, common: Objective) -> list[Objective]:
        for name in ("indicator", "indicatorRef"):
            if name in self._spec:
                self._spec.wrong(name, "template, or an indicator", "both")
        sections = list(self._spec.sections("objectives"))
        if len(sections) > 1:
            self._spec.wrong("objectives", "at most one, where there is a template", f"{len(sections)} objectives")
        if use is None:
            self._spec.taken += ["indicator", "indicatorRef"]
            return []
        self._look_at_template(use)
        for section in sections:
            target = target_ratio(section) if _given(section, "target") else None
            slice_s, share = slices(section, common.budgeting)
            section.text("displayName")
            section.taken += ["target", "targetPercent"]
            section.end()
            common = replace(common, slice_s=slice_s, slice_target=share, target=target or common.target)
        if self.foreign:
            return []
        return [
            replace(
                common,
                name=f"{common.name}/{stage}" if stage else common.name,
                indicator=indicator,
                whole=use.wholes.get(stage),
            )
            for stage, indicator in use.indicators.items()
        ]

    def _look_at_template(self, use: Use) -> None:
        unsaid = "" if use.wholes else missing(use.template)
        if unsaid and use.template.counts is not Counts.STAGES:
            self.foreign = True
            self._spec.lint("template", f"{unsaid}: accepted, and not evaluated here")
        elif unsaid:
            self._spec.lint("stages", f"{unsaid}: the stages are counted, the flow is not")

    def _of_indicator(self, common: Objective) -> list[Objective]:
        spec = self._spec
        given = self._sli(spec) if _given(spec, "indicator") else None
        sections = list(spec.sections("objectives", required=True))
        spec.taken += ["indicator", "indicatorRef", "template", "parameters", "stages"]
        if "objectives" in spec and not 0 < len(sections) <= OBJECTIVES_MAX:
            spec.wrong("objectives", f"1 to {OBJECTIVES_MAX}", f"{len(sections)} objectives")
        found = [one for section in sections if (one := self._objective(section, common, given)) is not None]
        self._look_at_composite(found)
        return _named(found)

    def _look_at_composite(self, found: list[Objective]) -> None:
        weighed = [one for one in found if one.weight is not None]
        if len(weighed) > 1 and len({one.indicator.only for one in weighed}) == 1:
            self._spec.lint(
                "objectives", f"a composite over the same requests; one {SOURCE_TYPE} expression with `and` says more"
            )

    def _sli(self, holder: Section) -> Sli | None:
        if "indicator" in holder and "indicatorRef" in holder:
            holder.wrong("indicatorRef", "one of indicator and indicatorRef", "both")
        if "indicatorRef" in holder:
            name = holder.text("indicatorRef")
            found = self._index.named(Kind.SLI, name, holder.place("indicatorRef"), holder.path("indicatorRef"))
        else:
            inner = holder.section("indicator")
            found = None if inner is None else self._index.inline_or_named(inner, Kind.SLI, "indicatorRef")
        return None if found is None else sli(found[1], self._index)

    def _objective(self, section: Section, common: Objective, given: Sli | None) -> Objective | None:
        weight = section.number("compositeWeight", "a number above 0")
        if weight is not None and weight <= 0:
            section.wrong("compositeWeight", "a number above 0")
        own = self._sli(section) if _given(section, "indicator") else given
        if own is None and not _given(section, "indicator") and not _given(self._spec, "indicator"):
            self._spec.wrong("indicator", "indicator or indicatorRef")
        section.taken += ["indicator", "indicatorRef"]
        label = section.text("displayName")
        target = target_ratio(section)
        slice_s, slice_target = slices(section, common.budgeting)
        indicator = self._indicator(section, own)
        section.end()
        if target is None or indicator is None:
            return None
        return replace(
            common,
            name=f"{common.name}/{label}",
            where=section.where,
            target=target,
            indicator=indicator,
            slice_s=slice_s,
            slice_target=slice_target,
            weight=weight,
        )

    def _indicator(self, section: Section, own: Sli | None) -> Indicator | None:
        op = section.choice("op", Op, default=Op.LTE)
        value = section.number("value", "a number")
        if own is None or op is None:
            return None
        if own.foreign:
            self.foreign = True
            section.lint("indicator", f"its numbers are of type {own.foreign}: accepted, and not evaluated here")
            return None
        if not own.threshold:
            if value is not None:
                section.wrong("value", "no value, where the indicator is a ratio")
            return own.indicator
        if value is None or "op" not in section:
            section.wrong("value" if value is None else "op", "op and value, where the indicator is a threshold metric")
            return None
        return compared(own, op, value, section)


def _given(section: Section, start: str) -> tuple[str, ...]:
    """Return which keys of a pair, of which one is allowed, stand in a section."""
    return tuple(name for name in _PAIRS[start] if name in section)


_PAIRS = {"indicator": ("indicator", "indicatorRef"), "target": ("target", "targetPercent")}


def _named(objectives: list[Objective]) -> list[Objective]:
    """Return objectives with the name of their SLO; where there are several, with a word of their own behind it."""
    if len(objectives) == 1:
        return [replace(objectives[0], name=objectives[0].name.split("/", 1)[0])]
    found: list[Objective] = []
    for at, one in enumerate(objectives):
        name, label = one.name.split("/", 1)
        word = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or str(at)
        unique = word if all(other.name != f"{name}/{word}" for other in found) else f"{word}-{at}"
        found.append(replace(one, name=f"{name}/{unique}"))
    return found
