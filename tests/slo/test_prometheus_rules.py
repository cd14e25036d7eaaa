"""Rules of Prometheus; tests/system lets promtool and Prometheus itself say whether they fire."""

import msgspec
import pytest
from slo_texts import loaded, slo

from slo.prometheus_rules import NOT_EXPRESSIBLE, percent, pyrra, rules, sloth, window_label


class Rule(msgspec.Struct):
    alert: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]


class Group(msgspec.Struct):
    name: str
    rules: list[Rule]


def test_both_windows_are_joined_though_their_labels_differ() -> None:
    (group,) = msgspec.convert(rules(loaded(slo()).objectives)["groups"], list[Group])
    long, short = (f'inferometer_slo_burn_ratio{{slo="chat",window="{window}"}} > 14.4' for window in ("1h", "5m"))

    assert ("inferometer-slo-chat", 4) == (group.name, len(group.rules))
    assert f"{long} and ignoring(window) {short}" == group.rules[0].expr
    assert {"severity": "page", "slo": "chat", "service": "s"} == group.rules[0].labels
    assert "cannot be said in PromQL" in NOT_EXPRESSIBLE


def test_specs_of_others_count_by_our_counters() -> None:
    (one,) = loaded(slo(target="target: 0.9995")).objectives

    assert "99.95" == pyrra(one)["spec"]["target"]  # type: ignore[index]  # a document
    assert 99.95 == sloth("s", [one])["slos"][0]["objective"]  # type: ignore[index]  # a document
    assert 'inferometer_slo_bad_total{slo="chat"}[{{.window}}]' in str(sloth("s", [one]))


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.999, "99.9"), (0.9995, "99.95"), (0.99, "99"), (0.5, "50"), (0.0, "0"), (0.999999, "99.9999")],
)
def test_a_share_in_percent(ratio: float, text: str) -> None:
    assert text == percent(ratio)


def test_a_window_of_half_minutes_has_a_name_too() -> None:
    assert ["1h", "5m", "90s"] == [window_label(length_s) for length_s in (3_600, 300, 90)]
