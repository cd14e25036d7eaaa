"""Knows Grafana's alert rules: which there are, when they fire, what they say; refuses to know files.

| rule | ClickHouse asks | Prometheus asks |
|---|---|---|
| burn, one for each pair of windows | errors of each endpoint | burn rates of each objective |
| firing, page and ticket | what our own engine says of objectives and built-in rules | - |
| silent | heartbeats | metrics of collectors |
| uncounted | counts of objectives | burn rates |

The engine's own alerts know what no query does (evidence, least traffic, silences); burn of errors holds though no
engine runs and no objective is written.

No data never reads as fine. A query has a value where all is well; without one the rules of silence fire, the others
turn into Grafana's own alert DatasourceNoData, which is told like any other.

Source: spec/ui.md 8; Grafana, pkg/services/provisioning/alerting/rules_types.go (fields of the file; variables of the
environment stand in titles and labels, and in braces in annotations) and "Queries and conditions" (a threshold on A).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards import grafana_alert_sql, grafana_promql
from dashboards.grafana_source import PLUGINS, UIDS, URL, Flavour

Json = dict[str, Any]
SILENT_S = 120
"""Silence of a collector after which nobody looks."""
BEHIND_S = 900
"""How far counts of objectives may be behind requests: late ones, and an engine that begins anew."""
_DAY_S = 86_400
_MONTH_S = 30 * _DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class BurnRule:
    """One pair of windows.

    Attributes:
        severity: Who is told, `page` or `ticket`.
        threshold: Burn rate that both windows must exceed.
        long_s: The long window.
        short_s: The short window.
        long: Its label.
        short: Its label.
    """

    severity: str
    threshold: float
    long_s: int
    short_s: int
    long: str
    short: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What endpoints are held to, as long as nobody says anything else.

    Attributes:
        target: Share of requests that is to be good.
        period: Over which time, as in the label of burn rates.
        rules: When its budget is spent too fast.
    """

    target: float
    period: str
    rules: Sequence[BurnRule]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    name: str
    title: str
    severity: str
    ask: str
    above: float
    window_s: int
    summary: str
    description: str
    page: str
    for_: str = "0s"
    no_data: str = "NoData"


def alerts(flavour: Flavour, promise: Promise) -> Json:
    """Return the file of rules.

    Args:
        flavour: Where the numbers come from.
        promise: Which burn is too much.
    """
    made = _clickhouse(promise) if flavour is Flavour.CLICKHOUSE else _prometheus(promise)
    group = {
        "orgId": 1,
        "name": UIDS[flavour],
        "folder": "inferometer",
        "interval": "1m",
        "rules": [_rule(one, flavour) for one in made],
    }
    return {"apiVersion": 1, "groups": [group]}


def _clickhouse(promise: Promise) -> Iterator[_Rule]:
    allowed = 1 - promise.target
    for one in promise.rules:
        yield _Rule(
            name=f"burn-{one.severity}-{one.long}",
            title=f"Errors of an endpoint ({one.severity}, {one.long})",
            severity=one.severity,
            ask=grafana_alert_sql.burn(allowed, one.long_s, one.short_s),
            above=one.threshold,
            window_s=one.long_s,
            summary=f"{{{{ $labels.endpoint }}}}: errors spend a budget of {allowed:.2%} over {promise.period}"
            f" more than {one.threshold:g} times too fast",
            description=f"So it is over {one.long} and over {one.short}. Look at what fails and since when;"
            " an objective of your own says what is too much.",
            page="endpoints/{{ urlquery $labels.endpoint }}?panel=ep.outcomes",
        )
    for severity in ("page", "ticket"):
        yield _Rule(
            name=f"firing-{severity}",
            title=f"An alert of inferometer ({severity})",
            severity=severity,
            ask=grafana_alert_sql.firing(severity),
            above=0,
            window_s=_MONTH_S,
            summary="{{ $labels.alert }} {{ $labels.slo }}",
            description="The page says what happened, to whom, since when, and what to do.",
            page="alerts/{{ $labels.fingerprint }}",
        )
    yield _silent("Nobody looks at an endpoint", grafana_alert_sql.silence_s(), SILENT_S)
    yield _Rule(
        name="uncounted",
        title="Objectives are not judged",
        severity="ticket",
        ask=grafana_alert_sql.uncounted_s(),
        above=BEHIND_S,
        window_s=_DAY_S,
        summary="Requests come, and no objective counts them",
        description="The engine does not run, or no objective is about what comes: look at `inferometer serve`.",
        page="slos",
        for_="5m",
    )


def _prometheus(promise: Promise) -> Iterator[_Rule]:
    for one in promise.rules:
        yield _Rule(
            name=f"burn-{one.severity}-{one.long}",
            title=f"Budget of an objective ({one.severity}, {one.long})",
            severity=one.severity,
            ask=grafana_promql.burn(promise.period, one.long, one.short, one.threshold),
            above=one.threshold,
            window_s=one.long_s,
            summary=f"{{{{ $labels.slo }}}} burns its error budget more than {one.threshold:g} times as fast as it may",
            description=f"So it is over {one.long} and over {one.short}, whatever the traffic is: at night few requests"
            " are enough.",
            page="slos/{{ urlquery $labels.slo }}",
        )
    yield _silent(
        "No collector of an endpoint is scraped", grafana_promql.gone("endpoint", "inferometer_endpoint_info"), 0
    )
    yield _Rule(
        name="uncounted",
        title="An objective is not judged",
        severity="ticket",
        ask=grafana_promql.gone("slo", "inferometer_slo_burn_ratio"),
        above=0,
        window_s=_DAY_S,
        summary="{{ $labels.slo }} is not judged any more",
        description="Nobody looks, the engine does not run, or the objective is gone.",
        page="slos",
        for_="5m",
        no_data="Alerting",  # nobody has judged anything for a day
    )


def _silent(title: str, ask: str, above: float) -> _Rule:
    return _Rule(
        name="silent",
        title=title,
        severity="page",
        ask=ask,
        above=above,
        window_s=_DAY_S,
        summary="{{ $labels.endpoint }}: no collector is heard, so nobody would see it fail",
        description="Look whether the collector runs and reaches the store: `inferometer doctor`.",
        page="telemetry?panel=tel.sources",
        for_="5m",
        no_data="Alerting",  # nobody was heard for a day: there is no endpoint to name
    )


def _rule(one: _Rule, flavour: Flavour) -> Json:
    return {
        "uid": f"{UIDS[flavour]}-{one.name}",
        "title": one.title,
        "condition": "B",
        "data": [
            {
                "refId": "A",
                "datasourceUid": UIDS[flavour],
                "relativeTimeRange": {"from": one.window_s, "to": 0},
                "model": _query(one.ask, flavour),
            },
            {
                "refId": "B",
                "datasourceUid": "__expr__",
                "relativeTimeRange": {"from": 0, "to": 0},
                "model": {
                    "refId": "B",
                    "datasource": {"type": "__expr__", "uid": "__expr__"},
                    "type": "threshold",
                    "expression": "A",
                    "conditions": [{"evaluator": {"type": "gt", "params": [one.above]}}],
                },
            },
        ],
        "noDataState": one.no_data,
        "execErrState": "Error",  # a query that fails is told as DatasourceError, and is no alarm of an endpoint
        "for": one.for_,
        "annotations": {"summary": one.summary, "description": f"{one.description} {URL}{one.page}"},
        "labels": {"severity": one.severity},
        "isPaused": False,
    }


def _query(ask: str, flavour: Flavour) -> Json:
    source = {"type": PLUGINS[flavour], "uid": UIDS[flavour]}
    if flavour is Flavour.PROMETHEUS:
        return {"refId": "A", "datasource": source, "expr": ask, "instant": True, "range": False}
    return {"refId": "A", "datasource": source, "editorType": "sql", "format": 1, "rawSql": ask}
