"""Knows which panels and alarms our metrics can show, and by which expressions; refuses to know Grafana.

Histograms of durations hold successful requests alone, so these percentiles leave failures out, unlike our pages.

An expression for an alarm has a value where all is well, too: no value means that nobody knows. So it does not compare
and drop, as a rule of Prometheus would.

Source: docs/metrics.md (names and labels); Prometheus, histogram_quantile, vector matching; spec/ui.md 8 (burn rule).
"""

from collections.abc import Mapping

from dashboards.asks import GROUPS
from dashboards.asks_outcomes import FINE

_TROUBLE = f',outcome!~"{"|".join(FINE)}"'
_OF = 'endpoint=~"${endpoint}",model=~"${model}"'


def _rate(name: str, more: str = "") -> str:
    return f"sum(rate(inferometer_{name}{{{_OF}{more}}}[$__rate_interval]))"


def _percentiles(name: str) -> dict[str, str]:
    buckets = f"sum by (le) (rate(inferometer_{name}_seconds_bucket{{{_OF}}}[$__rate_interval]))"
    return {
        f"ok {label}": f"histogram_quantile({quantile}, {buckets})"
        for label, quantile in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }


def _words(group: str) -> str:
    return f',outcome=~"{"|".join(one.value for one in GROUPS[group])}"'


PROMQL: Mapping[str, Mapping[str, str]] = {
    "fleet.demand": {"finished": _rate("requests_total"), "good": _rate("requests_eligible_total", ',eligible="good"')},
    "fleet.bad": {group: _rate("requests_total", _words(group)) for group in GROUPS},
    "fleet.ttft": _percentiles("ttft"),
    "fleet.gave_up": {"before output": _rate("client_cancels_total", ',phase="queued"')},
    "ep.ttft": _percentiles("ttft"),
    "ep.tpot": _percentiles("tpot"),
    "ep.stall": _percentiles("icl_max"),
    "ep.gave_up": {"gave_up": f"{_rate('client_cancels_total')} / {_rate('requests_total')}"},
    "ep.outcomes": {
        "{{outcome}}": f"sum by (outcome) (rate(inferometer_requests_total{{{_OF}{_TROUBLE}}}[$__rate_interval]))"
    },
    "ep.tokens": {
        "prompt": _rate("tokens_in_total"),
        "cached": _rate("tokens_cache_read_total"),
        "output": _rate("tokens_out_total"),
    },
    "tel.lag": {"spooled": "sum(inferometer_spooled_records)"},
    "tel.overhead": {"frames_dropped_per_s": "sum(rate(inferometer_tee_frames_dropped_total[$__rate_interval]))"},
}
"""Panel to its expressions by their names."""
PLAIN_RATE = "5m"
"""Range of a rate where no Grafana chooses one: several scrapes, whatever their interval usually is."""


def plain(panel: str) -> str:
    """Return a panel's expressions for Prometheus itself, each below its name; empty if no metric has it."""
    told = PROMQL.get(panel, {})
    return "\n".join(f"# {name}\n{text}" for name, text in told.items()).replace("$__rate_interval", PLAIN_RATE)


def burn(period: str, long: str, short: str, threshold: float) -> str:
    """Return the expression for the burn rate of the long window, 0 where that of the short one exceeds nothing.

    Args:
        period: That of the objectives, as in the label.
        long: Label of the long window.
        short: Label of the short one.
        threshold: What both windows must exceed.
    """
    both = (f'inferometer_slo_burn_ratio{{period="{period}",window="{window}"}}' for window in (long, short))
    # Subtle: the two differ in the label window; without `ignoring` there is no pair, and never an alarm.
    return " * ignoring(window) ".join((next(both), f"({next(both)} > bool {threshold!r})"))


def gone(label: str, metric: str) -> str:
    """Return the expression that is 0 for what a metric is there of, and 1 for what it was there of within a day.

    Args:
        label: By which it is told apart.
        metric: The metric.
    """
    return f"(0 * group by ({label}) ({metric})) or group by ({label}) (last_over_time({metric}[1d]))"
