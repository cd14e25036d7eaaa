"""Knows the dashboards that Grafana shows, made of the same panels as our pages; refuses to know files.

A dashboard is a page. Its statements are the panels' own, with Grafana's macros; a percentile below its n is NULL there
too, and so is one that lands on a failure. What a statement cannot answer is named, not left out in silence.

Source: spec/ui.md 8 (shape, targets, flavours); grafana-clickhouse-datasource 4.20.0 (rawSql, format, editorType);
Grafana 11.6, dashboard JSON model (schemaVersion 39), variable syntax (`date:seconds`, `percentencode`).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from dashboards.grafana_promql import PROMQL
from dashboards.grafana_source import PLUGINS, URL, Flavour
from dashboards.macros import VARIABLES, to_grafana
from telemetry.panel import Column, Kind, N, Page, Panel, Reads, Role, Type, Unit
from telemetry.percentile import n_min
from telemetry.queries.asked import Asked, Dim, Pick, Source

Json = dict[str, Any]
MINUTE_S = 60
"""Least step of a panel: roll-ups of minutes are what Grafana reads."""
_WIDTH, _HEIGHT = 24, 8
_SAMPLE_MS = 3_600_000
TYPES = {
    Kind.STAT: "stat",
    Kind.LINE: "timeseries",
    Kind.STACKED: "timeseries",
    Kind.BAR: "barchart",
    Kind.HEATMAP: "heatmap",
    Kind.HEARTBEAT: "table",
    Kind.TABLE: "table",
}
"""How a panel is drawn there."""
UNITS = {
    Unit.SECONDS: "s",
    Unit.PER_TOKEN: "s",
    Unit.RATIO: "percentunit",
    Unit.PER_S: "cps",
    Unit.PER_H: "suffix:/h",
    Unit.TOKENS_PER_S: "suffix: tok/s",
    Unit.TOKENS_PER_EVENT: "suffix: tok/event",
    Unit.BYTES: "bytes",
    Unit.WATTS: "watt",
    Unit.MEGAHERTZ: "suffix: MHz",
    Unit.BURN: "suffix:x",
}
"""Its names of units; what counts is `short`."""
_TITLES = {
    Page.FLEET: "Fleet",
    Page.ENDPOINT: "Endpoint",
    Page.REQUESTS: "Requests",
    Page.SLO: "Objectives",
    Page.ALERT: "Alerts",
    Page.LOADTESTS: "Load tests",
    Page.HINTS: "Scaling hints",
    Page.TELEMETRY: "Telemetry health",
}
_PATHS = {
    Page.FLEET: "",
    Page.ENDPOINT: "endpoints/${endpoint:percentencode}",
    Page.SLO: "slos",
    Page.ALERT: "alerts",
}


def dashboards(panels: Sequence[Panel], flavour: Flavour) -> dict[str, Json]:
    """Return the dashboards by the names of their files.

    Args:
        panels: The list.
        flavour: Where the numbers come from.
    """
    told = [one for one in panels if (is_asked(one) if flavour is Flavour.CLICKHOUSE else one.id in PROMQL)]
    silent = [one.id for one in panels if one not in told]
    pages = [page for page in _TITLES if any(one.page is page for one in told)]
    made = [_dashboard(page, [one for one in told if one.page is page], flavour) for page in pages]
    if silent:
        made[0]["panels"].append(_note(len(made[0]["panels"]), silent, flavour))
    return {f"{one['uid']}.json": one for one in made}


def is_asked(panel: Panel) -> bool:
    """Return whether a panel is shown: a statement answers it, and its page has a dashboard."""
    return panel.ask is not None and panel.page in _TITLES


def statement(panel: Panel) -> str:
    """Return what a panel asks, with Grafana's macros.

    Raises:
        ValueError: No statement answers it.
    """
    if panel.ask is None or not is_asked(panel):
        raise ValueError(f"panel {panel.id} has no statement of its own")
    asked = Asked(
        since_ms=0,
        until_ms=_SAMPLE_MS,
        step_s=MINUTE_S if panel.has_steps else None,
        where={Dim.ENDPOINT: ("",), Dim.MODEL: ("",)},
    )
    source = Source.R_1M if panel.reads in {Reads.REQUESTS, Reads.QUANTILES} else Source.RAW
    pick = Pick(source=source, exact=source is Source.RAW, since_ms=asked.since_ms, until_ms=asked.until_ms)
    question = panel.ask(asked, pick)
    columns = ",\n    ".join(_told(panel))
    order = "\nORDER BY time" if panel.has_steps else ""
    return f"SELECT\n    {columns}\nFROM (\n{to_grafana(question.sql, question.parameters)}\n) AS p{order}"


def shown(panel: Panel) -> list[Column]:
    """Return the columns that Grafana shows: what the engine knows stands in no table, a strip is drawn by nobody."""
    left_out = {"budget_left"} if panel.beside is not None else set[str]()
    return [
        one
        for one in panel.columns
        if one.role not in {Role.LOW, Role.HIGH} and one.type is not Type.NUMBERS and one.name not in left_out
    ]


def _told(panel: Panel) -> Iterable[str]:
    if panel.kind is Kind.HEATMAP:
        yield from ("toDateTime(p.t) AS time", "toString(round(p.high, 4)) AS bucket", "toFloat64(p.count) AS requests")
        return
    for one in shown(panel):
        if one.role is Role.TIME:
            yield f"toDateTime(p.{one.name}) AS time"
        elif one.type is Type.UNIX_S:
            yield f"toDateTime(p.{one.name}) AS {one.name}"
        elif one.ppm is not None:
            refused = f"p.{one.of or N} < {n_min(one.ppm)} OR isInfinite(p.{one.name})"
            yield f"if({refused}, NULL, p.{one.name}) AS {one.name}"
        else:
            yield f"p.{one.name} AS {one.name}"


def _dashboard(page: Page, panels: Sequence[Panel], flavour: Flavour) -> Json:
    return {
        "annotations": {"list": []},
        "description": f"The page {_TITLES[page]} of inferometer. Made by `inferometer config grafana`; do not edit.",
        "editable": True,
        "graphTooltip": 2,
        "links": [],
        "panels": [_panel(at, one, flavour) for at, one in enumerate(panels)],
        "refresh": "10s",
        "schemaVersion": 39,
        "tags": ["inferometer"],
        "templating": {"list": _variables(page, flavour)},
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "title": f"inferometer: {_TITLES[page]}",
        "uid": f"inferometer-{page}" if flavour is Flavour.CLICKHOUSE else f"inferometer-prom-{page}",
    }


def _variables(page: Page, flavour: Flavour) -> list[Json]:
    plugin = PLUGINS[flavour]
    source = {"type": "datasource", "name": "datasource", "label": "Data source", "query": plugin}
    return [source, *(_variable(name, page, flavour) for name in VARIABLES)]


def _variable(name: str, page: Page, flavour: Flavour) -> Json:
    # The page of an endpoint is of one: All, or several, would have no page of ours to lead to.
    is_many = (name, page) != ("endpoint", Page.ENDPOINT)
    queries = {
        Flavour.CLICKHOUSE: _NAMES[name],
        Flavour.PROMETHEUS: f"label_values(inferometer_requests_total, {name})",
    }
    return {
        "type": "query",
        "name": name,
        "label": name.capitalize(),
        "datasource": _source(flavour),
        "query": queries[flavour],
        "includeAll": is_many,
        "multi": is_many,
        "refresh": 2,
        "sort": 1,
    } | ({"allValue": ".*"} if is_many and flavour is Flavour.PROMETHEUS else {})


_NAMES = {
    "endpoint": "SELECT DISTINCT endpoint FROM inferometer.r_1h WHERE t > now() - 604800 ORDER BY endpoint",
    "model": "SELECT DISTINCT model FROM inferometer.r_1h WHERE t > now() - 604800 ORDER BY model",
}
"""What there is to choose from: the last week."""


def _panel(at: int, panel: Panel, flavour: Flavour) -> Json:
    is_stacked = panel.kind is Kind.STACKED
    custom: Json = {"stacking": {"mode": "normal", "group": "A"}, "fillOpacity": 40} if is_stacked else {}
    kind = TYPES[panel.kind] if flavour is Flavour.CLICKHOUSE else "timeseries"
    return {
        "id": at + 1,
        "title": panel.title,
        "description": f"{panel.meaning} {panel.action}",
        "type": kind,
        "datasource": _source(flavour),
        "interval": f"{MINUTE_S}s",
        "gridPos": _place(at),
        "fieldConfig": {
            "defaults": {"unit": UNITS.get(panel.unit, "short"), "custom": custom, "noValue": "n/a"},
            "overrides": _overrides(panel),
        },
        "links": [_link(panel)],
        "options": {},
        "targets": _targets(panel, flavour),
    }


def _link(panel: Panel) -> Json:
    """Return the way to the same panel of our pages, over the same time."""
    path = _PATHS.get(panel.page, panel.page.value)
    return {
        "type": "link",
        "title": "The same in inferometer",
        "tooltip": "",
        "icon": "external link",
        "url": f"{URL}{path}?from=${{__from:date:seconds}}&to=${{__to:date:seconds}}&panel={panel.id}",
        "targetBlank": True,
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "tags": [],
    }


def _targets(panel: Panel, flavour: Flavour) -> list[Json]:
    if flavour is Flavour.PROMETHEUS:
        return [
            {"datasource": _source(flavour), "expr": expr, "legendFormat": legend, "refId": chr(ord("A") + at)}
            for at, (legend, expr) in enumerate(PROMQL[panel.id].items())
        ]
    return [
        {
            "datasource": _source(flavour),
            "editorType": "sql",
            "format": 0 if panel.has_steps else 1,
            "rawSql": statement(panel),
            "refId": "A",
        }
    ]


def _overrides(panel: Panel) -> list[Json]:
    """Return the units of columns that are not the panel's."""
    return [
        {
            "matcher": {"id": "byName", "options": one.name},
            "properties": [{"id": "unit", "value": UNITS.get(one.unit, "short")}],
        }
        for one in shown(panel)
        if one.unit is not None and one.unit is not panel.unit
    ]


def _note(at: int, silent: Sequence[str], flavour: Flavour) -> Json:
    why = "are answered by inferometer itself" if flavour is Flavour.CLICKHOUSE else "have no metric"
    text = f"Not here, because they {why}: {', '.join(silent)}. See them in the web pages."
    return {
        "id": at + 1,
        "title": "Not in this dashboard",
        "description": text,
        "type": "text",
        "gridPos": _place(at),
        "options": {"mode": "markdown", "content": text},
    }


def _place(at: int) -> Json:
    half = _WIDTH // 2
    return {"x": at % 2 * half, "y": at // 2 * _HEIGHT, "w": half, "h": _HEIGHT}


def _source(flavour: Flavour) -> Json:
    return {"type": PLUGINS[flavour], "uid": "${datasource}"}
