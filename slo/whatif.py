"""Knows what another target, or another condition for a good request, would have made of requests; refuses to ask them.

Both are judged anew from the requests themselves, as they are and as they would be, so that nothing but the change
differs. Alerts begin with nothing known before the first second: a rule that looks back for days sees what is counted.

Source: spec/slo.md 1 (`what-if`), 15 (the same evaluator), 17 (attainment, bad and pages under another threshold).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from slo.backtest import backtest
from slo.burn_catalogue import CATALOGUES, Severity
from slo.expression import parse
from slo.objective import Objective
from slo.past import Known, Past
from slo.shown import hexadecimal
from slo.sight import group_of
from slo.terms import written
from slo.watched import watched
from slo.windows import BUCKET_S

WHATIF_S_MAX = 3 * 86_400
"""Longest time that is judged anew: each request of it is looked at."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWhatIf:
    """What one group would have been.

    Attributes:
        group: Values that it is grouped by.
        n: Requests that count.
        bad: The bad of them.
        sli: Share that was good; None if nothing could be judged.
    """

    group: Mapping[str, str]
    n: int
    bad: int
    sli: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantShown:
    """What an objective makes of the requests of a time.

    Attributes:
        target: Share that is to be good.
        good: What a request must be; None leaves it to the class of its outcome.
        definition_hash: Of what counts.
        n: Requests that count, of all groups.
        good_n: The good of them.
        bad: The bad of them.
        sli: Share that was good; None if nothing could be judged.
        attained: Whether that reaches the target.
        pages: Pages that would have been sent.
        tickets: Tickets alike.
        groups: Group by group.
    """

    target: float
    good: str | None
    definition_hash: str
    n: int
    good_n: int
    bad: int
    sli: float | None
    attained: bool | None
    pages: int
    tickets: int
    groups: tuple[GroupWhatIf, ...]


def changed(objective: Objective, target: float | None, good: str) -> Objective:
    """Return an objective with another target, or another condition for a good request; empty leaves it.

    Raises:
        ObjectiveError: The condition is none.
    """
    indicator = replace(objective.indicator, good=parse(good)) if good else objective.indicator
    return replace(objective, target=objective.target if target is None else target, indicator=indicator)


def variant(objective: Objective, rows: Iterable[Row], since_s: int, until_s: int) -> VariantShown:
    """Return what an objective makes of counts.

    Args:
        objective: The objective.
        rows: Answers to `queries.counted.counts`.
        since_s: Start, unix seconds.
        until_s: End, excluded.

    Raises:
        CountsError: Counts that cannot be.
    """
    one = watched(objective, CATALOGUES[objective.catalogue])
    of: dict[str, list[Known]] = {}
    for row in rows:
        of.setdefault(str(row["group_key"]), []).append(_known(row))
    pasts = [
        Past(watched=one, group=group_of(key), counted=sorted(counted, key=lambda known: known.known_s))
        for key, counted in sorted(of.items())
    ]
    alarms = backtest(pasts, since_s, until_s).alarms
    groups = tuple(map(_group, pasts))
    n, bad = sum(group.n for group in groups), sum(group.bad for group in groups)
    good = objective.indicator.good
    return VariantShown(
        target=objective.target,
        good=None if good is None else written(good),
        definition_hash=hexadecimal(one.definition_hash),
        n=n,
        good_n=n - bad,
        bad=bad,
        sli=_sli(n, bad),
        attained=None if not n else (n - bad) / n >= objective.target,
        pages=sum(alarm.severity is Severity.PAGE for alarm in alarms),
        tickets=sum(alarm.severity is Severity.TICKET for alarm in alarms),
        groups=groups,
    )


def _known(row: Row) -> Known:
    start_s, eligible = int(row["t_unix_s"]), int(row["eligible"])
    return Known(start_s=start_s, eligible=eligible, bad=eligible - int(row["good"]), known_s=start_s + BUCKET_S)


def _group(past: Past) -> GroupWhatIf:
    n, bad = sum(one.eligible for one in past.counted), sum(one.bad for one in past.counted)
    return GroupWhatIf(group=past.group, n=n, bad=bad, sli=_sli(n, bad))


def _sli(n: int, bad: int) -> float | None:
    return (n - bad) / n if n else None
