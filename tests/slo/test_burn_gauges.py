"""Burn rates as rules of others read them."""

import json
import re
from dataclasses import replace

from views import judged, seen

from slo.burn_gauges import burn_gauges
from slo.prometheus_rules import rules
from slo.scaling.faces.prometheus import text_page
from slo.telemetry_state import Heartbeats
from slo.words import span


def test_every_window_of_every_group_has_a_series() -> None:
    one = judged(bad=10)
    (gauge,) = burn_gauges(seen(one, judged(endpoint="other", bad=0)))
    series = {(labels["endpoint"], labels["window"]): value for labels, value in gauge.points}

    assert {(name, span(of)) for name in ("chat", "other") for of in one.watched.windows_s} == set(series)
    assert {0.0} == {value for (endpoint, _), value in series.items() if endpoint == "other"}
    # 10 of 1 010 are bad where 1 % may be
    assert {round(10 / 10.1, 9)} == {round(value, 9) for (endpoint, _), value in series.items() if endpoint == "chat"}
    assert {("chat", "chat", "1d")} == {
        (labels["slo"], labels["service"], labels["period"]) for labels, _ in gauge.points
    }


def test_rules_that_are_exported_name_series_that_there_are() -> None:
    one = judged(bad=10)
    page = text_page(burn_gauges(seen(one))).decode()
    asked = set(re.findall(r'\{slo=\\"chat\\",window=\\"(\w+)\\"\}', json.dumps(rules([one.watched.objective]))))

    assert asked
    assert all(f',window="{window}"}} ' in page for window in asked)
    assert page.splitlines()[-1].startswith('inferometer_slo_burn_ratio{slo="chat",')


def test_nothing_is_told_while_nobody_looks() -> None:
    blind = judged(bad=10, seen=Heartbeats.ALL_STALE, coverage_ratio=0.0)

    assert [] == burn_gauges(seen(blind))
    assert [] == burn_gauges(replace(seen(), watched=(blind.watched,)))
