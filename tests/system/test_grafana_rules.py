"""Grafana's rules for Prometheus in the hands of promtool, which runs the evaluator of Prometheus.

Grafana asks for the expression and compares its value with a threshold; so does the rule that is made of both here.
"""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.grafana_alerts import alerts
from dashboards.grafana_source import Flavour
from inferometer.grafana_files import promise

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

Json = dict[str, Any]
GROUPS: list[Json] = alerts(Flavour.PROMETHEUS, promise())["groups"]
BURN = 'inferometer_slo_burn_ratio{{slo="chat",service="s",endpoint="e",period="{period}",window="{window}"}}'


def rule(one: Json, *, joined: bool = True) -> Json:
    asked, condition = (part["model"] for part in one["data"])
    ((above,),) = (of["evaluator"]["params"] for of in condition["conditions"])
    expr = asked["expr"] if joined else asked["expr"].replace("ignoring(window) ", "")
    return {"alert": one["uid"], "expr": f"({expr}) > {above!r}", "labels": one["labels"]}


def rules(*, joined: bool = True) -> Json:
    made = [rule(one, joined=joined) for group in GROUPS for one in group["rules"]]
    return {"groups": [{"name": "inferometer", "rules": made}]}


def checked(promtool: str, folder: Path, cases: list[Json], *, joined: bool = True) -> None:
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules(joined=joined)))
    (folder / "test.yaml").write_text(
        yaml.safe_dump({"evaluation_interval": "1m", "rule_files": ["rules.yaml"], "tests": cases})
    )
    for words in (("check", "rules", "rules.yaml"), ("test", "rules", "test.yaml")):
        ran = subprocess.run([promtool, *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        assert 0 == ran.returncode, ran.stdout + ran.stderr


def case(series: dict[str, str], fires: dict[str, list[Json]], at: str = "10m") -> Json:
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {"eval_time": at, "alertname": name, "exp_alerts": [{"exp_labels": labels} for labels in expected]}
            for name, expected in fires.items()
        ],
    }


def burning(long: float, short: float, period: str = "30d") -> dict[str, str]:
    windows = {one.long: long for one in promise().rules} | {one.short: short for one in promise().rules}
    return {BURN.format(period=period, window=window): f"{value}x30" for window, value in windows.items()}


BURNS: dict[str, Json] = {one["uid"]: one["labels"] for one in GROUPS[0]["rules"] if "-burn-" in one["uid"]}
OF_CHAT = {"slo": "chat", "service": "s", "endpoint": "e", "period": "30d"}
NOBODY: list[Json] = []
SILENT = dict.fromkeys(BURNS, NOBODY)
FIRING = {name: [OF_CHAT | labels] for name, labels in BURNS.items()}


def pair(name: str, long: float, short: float) -> dict[str, str]:
    """Return series of the two windows of one rule alone."""
    of = next(one for one in promise().rules if name.endswith(f"-{one.severity}-{one.long}"))
    return {
        BURN.format(period="30d", window=window): f"{value}x30"
        for window, value in ((of.long, long), (of.short, short))
    }


@pytest.mark.parametrize("name", list(BURNS))
def test_burn_20_in_both_windows_fires_and_in_one_is_silent(promtool: str, tmp_path: Path, name: str) -> None:
    checked(
        promtool,
        tmp_path,
        [
            case(pair(name, 20, 20), SILENT | {name: FIRING[name]}),
            case(pair(name, 20, 0), SILENT),
            case(pair(name, 0, 20), SILENT),
        ],
    )


def test_without_the_pair_it_would_never_fire(promtool: str, tmp_path: Path) -> None:
    checked(promtool, tmp_path, [case(burning(20, 20), FIRING)])
    checked(promtool, tmp_path, [case(burning(20, 20), SILENT)], joined=False)


def test_objectives_over_another_time_have_thresholds_of_their_own(promtool: str, tmp_path: Path) -> None:
    checked(promtool, tmp_path, [case(burning(20, 20, period="7d"), SILENT)])


def test_what_is_silent_is_named(promtool: str, tmp_path: Path) -> None:
    info = 'inferometer_endpoint_info{{endpoint="{0}",region=""}}'
    heard = {info.format("a"): "1x30", info.format("b"): "1x5 stale"}
    burn = {BURN.format(period="30d", window="1h"): "0x5 stale"}
    labels = {one["uid"]: one["labels"] for one in GROUPS[0]["rules"]}
    silent, uncounted = "inferometer-prom-silent", "inferometer-prom-uncounted"

    checked(
        promtool,
        tmp_path,
        [
            case(heard, {silent: [{"endpoint": "b"} | labels[silent]]}),
            case(heard, {silent: []}, at="4m"),
            case(burn, {uncounted: [{"slo": "chat"} | labels[uncounted]]}),
            case(burn, {uncounted: []}, at="4m"),
        ],
    )
