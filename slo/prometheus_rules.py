"""Knows the rules by which Prometheus fires on our own gauges, and specs of Sloth and Pyrra over them; refuses YAML.

Both sides of a rule have a label `window`, whose values differ; without `ignoring(window)` Prometheus finds no pair
and the rule never fires, though promtool is content with it.

Source: spec/slo.md 1 (export); Prometheus, Querying, Operators (vector matching, logical operators); Sloth
`prometheus/v1`; Pyrra `ServiceLevelObjective` v1alpha1.
"""

import json
from collections.abc import Sequence

from slo.durations import shorthand
from slo.objective import Objective
from slo.openslo_write import Document, name
from slo.reach import Reach, reaches

BURN, ELIGIBLE, BAD = "inferometer_slo_burn_ratio", "inferometer_slo_eligible_total", "inferometer_slo_bad_total"
"""The gauge and the counters that the engine exposes."""
NOT_EXPRESSIBLE = (
    "Low-traffic gates (least events, least bad ones, evidence, traffic weight) cannot be said in PromQL:"
    " on quiet services these rules page where inferometer does not."
)


def rules(objectives: Sequence[Objective]) -> Document:
    """Return a file of rules, one group for each objective."""
    return {"groups": [_group(objective) for objective in objectives]}


def sloth(service: str, objectives: Sequence[Objective]) -> Document:
    """Return a Sloth spec of the objectives of one service, over our counters."""
    return {
        "version": "prometheus/v1",
        "service": service,
        "slos": [_sloth_slo(objective) for objective in objectives],
    }


def pyrra(objective: Objective) -> Document:
    """Return a Pyrra spec of an objective, over our counters."""
    matcher = _matcher(objective.name)
    return {
        "apiVersion": "pyrra.dev/v1alpha1",
        "kind": "ServiceLevelObjective",
        "metadata": {"name": name(objective)},
        "spec": {
            "target": percent(objective.target),
            "window": shorthand(objective.period_s),
            "indicator": {
                "ratio": {"errors": {"metric": f"{BAD}{matcher}"}, "total": {"metric": f"{ELIGIBLE}{matcher}"}}
            },
        },
    }


def percent(ratio: float) -> str:
    """Return a share in percent, by its decimal digits: 0.9995 is 99.95."""
    text = f"{float(f'{ratio!r}e2'):.12f}".rstrip("0")
    return text.rstrip(".")


def window_label(length_s: int) -> str:
    """Return the value of the label `window`."""
    return shorthand(length_s) if length_s % 60 == 0 else f"{length_s}s"


def _group(objective: Objective) -> Document:
    return {
        "name": f"inferometer-slo-{name(objective)}",
        "rules": [_rule(objective, one) for one in reaches(objective)],
    }


def _rule(objective: Objective, reach: Reach) -> Document:
    rule = reach.rule
    long, short = (_burn(objective.name, length_s) for length_s in (rule.long_s, rule.short_s))
    return {
        "alert": "SLOBurn",
        "expr": f"{long} > {rule.burn!r} and ignoring(window) {short} > {rule.burn!r}",
        "labels": {"severity": reach.severity, "slo": objective.name, "service": objective.service},
        "annotations": {
            "summary": f"{objective.name} burns its error budget more than {rule.burn:g} times as fast as it may",
            "long_window": window_label(rule.long_s),
            "short_window": window_label(rule.short_s),
        },
    }


def _burn(slo: str, length_s: int) -> str:
    return f"{BURN}{_matcher(slo, window=window_label(length_s))}"


def _matcher(slo: str, **labels: str) -> str:
    # A JSON text is a PromQL text: both escape by a backslash, and know \\n, \\t, \\" and \\uXXXX.
    pairs = [f"{label}={json.dumps(value)}" for label, value in {"slo": slo, **labels}.items()]
    return "{" + ",".join(pairs) + "}"


def _sloth_slo(objective: Objective) -> Document:
    matcher = _matcher(objective.name)
    return {
        "name": name(objective),
        "objective": float(percent(objective.target)),
        "sli": {
            "events": {
                "error_query": f"sum(rate({BAD}{matcher}[{{{{.window}}}}]))",
                "total_query": f"sum(rate({ELIGIBLE}{matcher}[{{{{.window}}}}]))",
            }
        },
        "alerting": {
            "name": "SLOBurn",
            "page_alert": {"labels": {"severity": "page"}},
            "ticket_alert": {"labels": {"severity": "ticket"}},
        },
    }
