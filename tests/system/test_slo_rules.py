"""Exported rules in the hands of promtool, which runs the evaluator of Prometheus: they load, fire, fall silent."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from rig import ROOT

from inferometer.slo_transfer import Export, exported

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

SLO = """apiVersion: openslo/v1
kind: SLO
metadata: {name: chat}
spec: {service: s, template: endpoint_p99_sla, timeWindow: [{duration: 30d, isRolling: true}],
  alertPolicies: [{metadata: {name: p}, spec: {conditions: [{metadata: {name: c}, spec: {severity: page,
    condition: {threshold: 2, lookbackWindow: 1h}}}]}}]}
"""
SERIES = """evaluation_interval: 1m
rule_files: [rules.yaml]
tests:
- interval: 1m
  input_series:
  - {{series: 'inferometer_slo_burn_ratio{{slo="chat",window="1h"}}', values: "3x10 3x10"}}
  - {{series: 'inferometer_slo_burn_ratio{{slo="chat",window="5m"}}', values: "1x4 3x10 1x10"}}
  alert_rule_test:
  - {{eval_time: 2m, alertname: SLOBurn}}
  - eval_time: 7m
    alertname: SLOBurn
    exp_alerts: {alerts}
  - {{eval_time: 18m, alertname: SLOBurn}}
"""
FIRED = """
    - exp_labels: {severity: page, slo: chat, service: s, window: 1h}
      exp_annotations: {long_window: 1h, short_window: 5m, summary: SUMMARY}"""
SUMMARY = "chat burns its error budget more than 2 times as fast as it may"


def promtool(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool") or shutil.which("promtool", path=str(ROOT / ".rig/debian/usr/bin"))
    if program is None:
        pytest.fail("no promtool: tools/provision unpacks Debian's prometheus")
    return subprocess.run([program, *words], cwd=folder, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("joined", [True, False], ids=["as exported", "without ignoring(window)"])
def test_a_rule_loads_and_fires_while_both_windows_burn(tmp_path: Path, joined: bool) -> None:
    (tmp_path / "slo.yaml").write_text(SLO)
    text = exported([tmp_path / "slo.yaml"], Export.PROMETHEUS)
    (tmp_path / "rules.yaml").write_text(text if joined else text.replace("ignoring(window) ", ""))
    (tmp_path / "test.yaml").write_text(SERIES.format(alerts=FIRED.replace("SUMMARY", SUMMARY) if joined else "[]"))
    checked = promtool("check", "rules", "rules.yaml", folder=tmp_path)
    ran = promtool("test", "rules", "test.yaml", folder=tmp_path)

    assert (0, True) == (checked.returncode, "1 rules found" in checked.stdout), checked.stderr
    assert 0 == ran.returncode, ran.stdout + ran.stderr
    assert 1 == len(yaml.safe_load(text)["groups"])
