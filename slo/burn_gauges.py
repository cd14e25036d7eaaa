"""Knows burn rates as Prometheus series, for rules that stand elsewhere; refuses to know how a page is asked for.

One series for each objective, group and window. While nobody looks an objective has none: 0 would say that all is well.
The label `period` is the time that the budget is for, because thresholds of burn rates belong to it.

Source: spec/slo.md 1 (export: `inferometer_slo_burn_ratio{slo,window}`), 7 (nothing is told while blind).
"""

from slo.prometheus_rules import BURN
from slo.scaling.faces.prometheus import Gauge
from slo.shown import slos_shown
from slo.view import EngineView
from slo.words import span

_MEANING = "Burn rate of an error budget over a window; 1 spends it in exactly its period."


def burn_gauges(view: EngineView) -> list[Gauge]:
    """Return the metric as of the last instant; nothing if it has no series.

    Args:
        view: What the engine saw last.
    """
    points = [
        (
            {"slo": one.name, "service": one.service, **one.group, "period": span(one.window.length_s), "window": of},
            rate,
        )
        for one in slos_shown(view).slos
        for of, rate in one.burn.items()
    ]
    return [Gauge(name=BURN, meaning=_MEANING, points=points)] if points else []
