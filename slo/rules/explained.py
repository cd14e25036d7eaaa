"""Knows how an alert of a built-in rule is put before those who explain alerts; refuses to ask the store.

They explain objectives: whose requests are looked into, and which of them are bad. Of errors those are all that ended
badly, of a P99 those above its limit. Of what is not made of requests, and of a naive reading, only the link is told.

Source: spec/slo.md 12 (alerts arrive explained).
"""

from slo.alarms import Judged
from slo.alert import Alert
from slo.evaluation import Facts, evaluate
from slo.expression import parse
from slo.objective import GROUP_DIMS, Indicator, Objective, Rolling
from slo.rules.rule import RuleId
from slo.watched import watched

LIMIT = "limit_s"
"""Annotation that says above which duration a request is slow; the label `figure` says of what."""

_OF_ERRORS = frozenset({one for one in RuleId if one.startswith("error_rate_")} | {RuleId.OOM})
_NO_ERRORS = frozenset({RuleId.ERROR_RATE_AUTH, RuleId.ERROR_RATE_NOT_FOUND})
_TARGET, _PERIOD_S = 0.99, 30 * 86_400  # nobody looks at them: there is no budget


def judged_of(alert: Alert) -> Judged | None:
    """Return an alert of a built-in rule as an objective and group; None if it is none."""
    name = alert.labels["alertname"]
    if alert.labels.get("slo") or name not in list(RuleId):
        return None
    indicator = _indicator(alert)
    objective = Objective(
        name=name,
        service=alert.labels.get("service", ""),
        target=_TARGET,
        window=Rolling(length_s=_PERIOD_S),
        indicator=indicator or Indicator(),
    )
    of = watched(objective)
    facts = Facts(at_s=alert.record.at_s or 0, windows={})
    group = {dim.value: alert.labels[dim.value] for dim in GROUP_DIMS if alert.labels.get(dim.value)}
    return Judged(watched=of, group=group, found=evaluate(of, facts) if indicator else None)


def _indicator(alert: Alert) -> Indicator | None:
    """Return which requests are bad; None if nobody can say so of single ones."""
    rule = RuleId(alert.labels["alertname"])
    if "method" in alert.labels or rule in _NO_ERRORS:
        return None
    if rule in _OF_ERRORS:
        return Indicator()
    figure, limit_s = alert.labels.get("figure"), alert.annotations.get(LIMIT)
    return Indicator(good=parse(f"ok and {figure}_s <= {limit_s}")) if figure and limit_s else None
