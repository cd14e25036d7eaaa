"""Expressions name metrics and labels that there are."""

import re

from collector.catalogue import CATALOGUE
from dashboards.asks_outcomes import FINE
from dashboards.grafana_promql import PLAIN_RATE, PROMQL, burn, gone, plain
from dashboards.panels import PANELS
from telemetry.outcome import Outcome

_ENDS = re.compile(r"_(total|bucket|count|sum)$")


def test_every_expression_names_a_metric_of_ours_and_its_labels() -> None:
    for panel, told in PROMQL.items():
        for expression in told.values():
            for name, labels in re.findall(r"inferometer_(\w+)(?:\{([^}]*\}?[^}]*)\})?", expression):
                spec = CATALOGUE[_ENDS.sub("", name)]
                used = set(re.findall(r"(\w+)(?:=~?|!=|!~)\"", labels))

                assert used <= set(spec.labels), (panel, name)


def test_outcomes_are_those_that_our_page_shows() -> None:
    (expression,) = PROMQL["ep.outcomes"].values()
    (refused,) = re.findall(r'outcome!~"([^"]+)"', expression)

    assert {one.value for one in Outcome} - set(FINE) == {
        one.value for one in Outcome if not re.fullmatch(refused, one.value)
    }


def test_every_panel_of_it_is_in_the_list() -> None:
    assert set(PROMQL) <= {one.id for one in PANELS}


def test_an_alarm_compares_two_windows_and_keeps_the_value() -> None:
    assert (
        'inferometer_slo_burn_ratio{period="30d",window="1h"}'
        ' * ignoring(window) (inferometer_slo_burn_ratio{period="30d",window="5m"} > bool 14.4)'
    ) == burn("30d", "1h", "5m", 14.4)


def test_what_is_gone_has_a_value_for_a_day() -> None:
    assert "(0 * group by (a) (m)) or group by (a) (last_over_time(m[1d]))" == gone("a", "m")


def test_a_panel_has_its_expressions_as_prometheus_itself_reads_them() -> None:
    text = plain("fleet.demand")

    assert text.startswith("# finished\nsum(rate(inferometer_requests_total{")
    assert f"[{PLAIN_RATE}]" in text
    assert "$__" not in text
    assert "" == plain("fleet.gpu")
