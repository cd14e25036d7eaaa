"""Knows how an alert is put into words from what was evaluated; refuses to look anything up.

Every replica writes the same words for the same instant: no clock, no name of the writer, numbers rounded alike.

Source: spec/slo.md 12 (annotations), 10 (`also_true`).
"""

from collections.abc import Mapping

from slo.alert_states import Record
from slo.burn_catalogue import Severity
from slo.evaluation import Evaluated
from slo.watched import HOUR_S, Watched
from slo.wholes import events

_DAY_S = 86_400


def burn_words(one: Watched, found: Evaluated, severity: Severity, group: Mapping[str, str]) -> dict[str, str]:
    """Return the annotations of an objective's own alert."""
    spoken = found.speaking.get(severity, ())
    rate = found.burn.get(HOUR_S, 0.0)
    where = " ".join(group.values()) or one.objective.service
    words = {
        "summary": f"{one.objective.name}: {where} spends its error budget {rate:.3g} times too fast",
        "burn": ", ".join(f"{span(window_s)}: {burn:.3g}" for window_s, burn in sorted(found.burn.items())),
        "budget_left": budget_words(one, found),
    }
    if spoken:
        words["rule"] = spoken[0].rule.name
    if len(spoken) > 1:
        words["also_true"] = ", ".join(reading.rule.name for reading in spoken[1:])
    counts = found.facts.over(HOUR_S)
    words["impact"] = f"{counts.bad} of {counts.eligible} {events(one.objective.whole)} of the last hour were bad"
    if found.facts.overdue:
        words["impact"] += f", {found.facts.overdue} of them wait for too long now"
    words["coverage"] = f"{found.facts.coverage_ratio:.3g}"
    return words


def budget_words(one: Watched, found: Evaluated) -> str:
    """Return what is left of the budget, as a share and in what is counted."""
    left = found.budget
    if left.remaining is None:
        return "unknown: nothing was counted"
    allowed = (1 - one.objective.target) * left.judged
    rest = f"{left.remaining * allowed:.0f} bad {events(one.objective.whole)}"
    return f"{left.remaining:.1%} of {span(one.objective.period_s)}, {rest}"


def silence_words(found: Evaluated) -> str:
    """Return why rules that are true keep silent; empty if none does."""
    return "; ".join(
        f"{reading.rule.name}: " + ", ".join(f"{s.gate} {s.found:.3g} of {s.needed:.3g}" for s in reading.silenced_by)
        for reading in found.readings
        if reading.silenced_by
    )


def with_state(words: Mapping[str, str], record: Record) -> dict[str, str]:
    """Return annotations with what only the alert's own history knows."""
    told = dict(words)
    if record.is_blind:
        told["blind"] = "true: nobody looks now; this is as it was seen last"
    if record.is_flapping:
        told["flapping"] = "true: it fires and resolves all the time; said once"
    return told


def span(seconds: int) -> str:
    """Return a length as people say it: `5m`, `1h`, `3d`."""
    for unit, name in ((_DAY_S, "d"), (HOUR_S, "h"), (60, "m")):
        if seconds % unit == 0:
            return f"{seconds // unit}{name}"
    return f"{seconds}s"
