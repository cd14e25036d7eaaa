"""Knows the route about built-in rules: what is set of each, what each found last, silent ones too; refuses to judge.

Source: spec/slo.md 13 (both verdicts are shown), 17.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request, Response

from slo.api_asked import Nothing
from slo.api_parts import Parts
from slo.api_reply import reply
from slo.rules.catalogue import about
from slo.rules.rule import Found
from slo.rules.spoken import Last
from slo.shown import instant


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingShown:
    """What a rule found of one subject.

    Attributes:
        labels: Who it is about.
        verdict: What is proven: `silent`, `ticket` or `page`.
        naive_verdict: What the plain threshold says.
        known: Whether it could be judged.
        bad: Bad requests behind it; None if it counts none.
        words: The figures.
    """

    labels: Mapping[str, str]
    verdict: str
    naive_verdict: str
    known: bool
    bad: int | None
    words: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInShown:
    """One built-in rule.

    Attributes:
        name: Of the rule, and of its alerts.
        seed: Where it comes from.
        default: When it is true, and what it raises.
        misleads: What the plain threshold says, and where that is wrong.
        enabled: Whether it is asked at all.
        mode: Which readings make alerts.
        severity: Of all its alerts; None leaves it to the rule.
        threshold: As configured; None leaves it to the rule, as in all that follows.
        window_s: Length of its window.
        min_events: Fewer requests say nothing.
        options: More numbers.
        every_s: Seconds between two questions.
        for_s: How long it must be true.
        as_of: The instant that it was asked about last.
        findings: Worst first.
        left_out: Subjects beyond those that are told.
        trouble: Why it could not be judged since; empty if it could.
    """

    name: str
    seed: str
    default: str
    misleads: str
    enabled: bool
    mode: str
    severity: str | None
    threshold: float | None
    window_s: int | None
    min_events: int | None
    options: Mapping[str, float]
    every_s: int
    for_s: int
    as_of: str | None
    findings: tuple[FindingShown, ...]
    left_out: int
    trouble: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInsShown:
    """Every built-in rule.

    Attributes:
        rules: In the order of their list.
    """

    rules: tuple[BuiltInShown, ...]


class RuleRoutes:
    """The route about built-in rules.

    Args:
        parts: What it speaks to.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def built_in(self, request: Request, _asked: Annotated[Nothing, Query()]) -> Response:
        """Every built-in rule with its settings and what it found last, silent findings too."""
        return reply(request, BuiltInsShown(rules=tuple(map(_rule, self._parts.built_in()))))


def _rule(one: Last) -> BuiltInShown:
    rule, of = one.rule, about(one.rule.id)
    return BuiltInShown(
        name=rule.id.value,
        seed=of.seed,
        default=of.default,
        misleads=of.misleads,
        enabled=rule.settings.enabled,
        mode=rule.settings.mode.value,
        severity=rule.settings.severity.value if rule.settings.severity else None,
        threshold=rule.settings.threshold,
        window_s=rule.settings.window_s,
        min_events=rule.settings.min_events,
        options=dict(rule.settings.options),
        every_s=rule.every_s,
        for_s=rule.for_s,
        as_of=instant(one.at_s),
        findings=tuple(map(_finding, one.found)),
        left_out=one.left_out,
        trouble=one.trouble,
    )


def _finding(found: Found) -> FindingShown:
    return FindingShown(
        labels=dict(found.labels),
        verdict=found.sound.value,
        naive_verdict=found.naive.value,
        known=found.is_known,
        bad=found.bad,
        words=dict(found.words),
    )
