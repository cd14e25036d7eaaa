"""Knows the list of panels, in the order of the pages; refuses to know how they are answered and drawn.

Source: spec/ui.md 5.
"""

from dataclasses import replace

from dashboards.grafana_promql import plain
from dashboards.panels_alert import ALERT
from dashboards.panels_endpoint import ENDPOINT
from dashboards.panels_engine import ENGINE
from dashboards.panels_fleet import FLEET
from dashboards.panels_hints import HINTS
from dashboards.panels_loadtests import LOADTESTS
from dashboards.panels_requests import REQUESTS
from dashboards.panels_slo import SLO
from dashboards.panels_telemetry import TELEMETRY
from telemetry.panel import Panel

PANELS: tuple[Panel, ...] = tuple(
    replace(one, promql=plain(one.id))
    for one in (*FLEET, *ENDPOINT, *ENGINE, *REQUESTS, *SLO, *ALERT, *LOADTESTS, *HINTS, *TELEMETRY)
)
