"""Knows what the engine saw last as rows of panels; refuses to judge, and to ask the store.

Source: spec/ui.md 5 (panels of objectives, rules and alerts).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from slo.alert_moves import AlertState
from slo.panel_asked import PanelAsked
from slo.panel_cells import Row
from slo.panel_shown import Adjusted, Blind
from slo.reach import BAD_RATIOS
from slo.shown import SloShown, known, seen_at_s, slos_shown
from slo.shown_alerts import AlertShown, alerts_shown
from slo.shown_rules import ReachShown, RuleShown, RulesShown, rules_shown
from slo.view import EngineView
from slo.words import span
from telemetry.panel import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """What an engine knows, and how well it sees.

    Attributes:
        rows: Of the panel.
        at_s: The instant that was judged last, unix seconds; None before the first.
        is_blind: Whether it sees nothing, or has objectives and has not judged them yet.
        blind: When nobody looked.
        adjusted: When requests count less.
        span_s: Start and end of what is told, unix seconds; None: what was asked.
        step_s: Step of it; None: what was asked.
    """

    rows: Sequence[Row] = ()
    at_s: int | None = None
    is_blind: bool = False
    blind: tuple[Blind, ...] = ()
    adjusted: tuple[Adjusted, ...] = ()
    span_s: tuple[int, int] | None = None
    step_s: int | None = None


def documented(view: EngineView, document: Document, asked: PanelAsked) -> Documented:
    """Return what an engine knows.

    Args:
        view: What it saw last.
        document: Which of it.
        asked: Filters; objectives and alerts have an endpoint and a model where they are grouped by them.
    """
    is_blind = bool(view.blind_cause) or _is_unjudged(view)
    return Documented(rows=_ROWS[document](view, asked), at_s=seen_at_s(view), is_blind=is_blind)


def _is_unjudged(view: EngineView) -> bool:
    return bool(view.watched) and seen_at_s(view) is None


def _slos(view: EngineView, asked: PanelAsked) -> list[Row]:
    return [_slo(one) for one in _of(view, asked)]


def _of(view: EngineView, asked: PanelAsked) -> list[SloShown]:
    return [one for one in slos_shown(view).slos if _is_asked(one.group, asked)]


def _is_asked(labels: Mapping[str, str], asked: PanelAsked) -> bool:
    wanted = {"endpoint": asked.endpoint, "model": asked.model, "region": asked.region}
    return all(not values or labels.get(name) in values for name, values in wanted.items() if name in labels)


def _slo(one: SloShown) -> Row:
    end = one.exhaustion
    return {
        "slo": one.name,
        "service": one.service,
        "group": written(one.group),
        "state": one.state.value,
        "objective": one.target,
        "sli": one.sli,
        "budget_left": one.remaining,
        "budget_left_requests": None if end is None else end.requests_left,
        "budget_left_time": None if end is None else end.minutes * 60,
        "burn_1h": one.burn.get("1h"),
        "as_of": one.as_of,
        "n": one.n,
    }


def written(labels: Mapping[str, str]) -> str:
    """Return labels as people read them: `endpoint=chat, model=m`."""
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))


def _numbers(view: EngineView, asked: PanelAsked) -> list[Row]:
    """Return the objectives in three numbers, one row; what is not known stays out of it."""
    shown = _of(view, asked)
    budgets = [one for one in shown if one.remaining is not None]
    now = [(good, one.target) for one in shown if (good := _good_now(one)) is not None]
    good, objective = min(now, default=(None, None), key=lambda pair: pair[0] - pair[1])
    firing = [one for one in view.alerts.values() if one.record.state is AlertState.FIRING]
    severities = [one.labels.get("severity") for one in firing if _is_asked(one.labels, asked)]
    is_unknown = _is_unjudged(view)
    worst = budgets[0] if budgets else None
    end = None if worst is None else worst.exhaustion
    return [
        {
            "good_ratio": good,
            "objective": objective,
            "budget_left": None if worst is None else worst.remaining,
            "budget_left_time": None if end is None else end.minutes * 60,
            "burn_1h": None if worst is None else worst.burn.get("1h"),
            "slo": None if worst is None else worst.name,
            "pages": None if is_unknown else severities.count("page"),
            "tickets": None if is_unknown else severities.count("ticket"),
            "n": None if worst is None else worst.n,
        }
    ]


def _good_now(one: SloShown) -> float | None:
    """Return the share that was good over the shortest window: burn is (1 - share) / (1 - target)."""
    burn = next(iter(one.burn.values()), None)
    return None if burn is None else 1 - burn * (1 - one.target)


def _budgets(view: EngineView, asked: PanelAsked) -> list[Row]:
    found: dict[str, float] = {}
    for one in _of(view, asked):
        endpoint = one.group.get("endpoint")
        if endpoint is not None and one.remaining is not None:
            found[endpoint] = min(one.remaining, found.get(endpoint, one.remaining))
    return [{"endpoint": endpoint, "budget_left": left} for endpoint, left in found.items()]


def _burn(view: EngineView, asked: PanelAsked) -> list[Row]:
    rows: list[Row] = []
    for one in known(view):
        if not _is_asked(one.group, asked):
            continue
        shown = rules_shown(one, seen_at_s(view))
        rows += [_rule(shown, rule, rule.reach) for rule in shown.rules if rule.reach is not None]
    return sorted(rows, key=lambda row: (row["state"] != "speaks", str(row["slo"]), str(row["group"])))


def _rule(of: RulesShown, rule: RuleShown, reach: ReachShown) -> Row:
    return {
        "slo": of.name,
        "group": written(of.group),
        "rule": rule.name,
        "severity": rule.severity,
        "long_window": reach.long_s,
        "short_window": reach.short_s,
        "long": of.burn.get(span(reach.long_s)),
        "short": of.burn.get(span(reach.short_s)),
        "threshold": reach.burn,
        "state": "speaks" if rule.speaks else rule.why,
    }


def _rules(view: EngineView, asked: PanelAsked) -> list[Row]:
    shown = [rules_shown(one, seen_at_s(view)) for one in known(view) if _is_asked(one.group, asked)]
    return [_seen(of, rule) for of in shown for rule in of.rules]


def _seen(of: RulesShown, rule: RuleShown) -> Row:
    reach = rule.reach
    detect = [None] * len(BAD_RATIOS) if reach is None else list(reach.detect_s.values())
    return {
        "slo": of.name,
        "group": written(of.group),
        "rule": rule.name,
        "severity": rule.severity,
        "conditions": "; ".join(rule.conditions),
        "reach": None if reach is None else reach.reach_ratio,
        "can_fire": None if reach is None else reach.can_fire,
        **dict(zip(("detect_all_bad", "detect_half_bad", "detect_tenth_bad"), detect, strict=True)),
        "why": rule.why,
    }


def _alerts(view: EngineView, asked: PanelAsked) -> list[Row]:
    shown = alerts_shown(view, {}).alerts
    return [_alert(one, view) for one in shown if _is_asked(one.labels, asked)]


def _alert(one: AlertShown, view: EngineView) -> Row:
    record = view.alerts[int(one.fingerprint, 16)].record
    own = {"alertname", "slo", "severity"}
    return {
        "fingerprint": one.fingerprint,
        "alertname": one.alertname,
        "severity": one.severity,
        "state": one.state,
        "slo": one.slo,
        "group": written({name: value for name, value in one.labels.items() if name not in own}),
        "since": record.fired_at_s or record.active_at_s,
        "sentence": one.annotations.get("summary"),
    }


_ROWS: Mapping[Document, Callable[[EngineView, PanelAsked], Sequence[Row]]] = {
    Document.NUMBERS: _numbers,
    Document.SLOS: _slos,
    Document.BURN: _burn,
    Document.RULES: _rules,
    Document.ALERTS: _alerts,
    Document.BUDGETS: _budgets,
}
