"""The list of built-in rules with what is set of them, as the verb prints it."""

import json
from pathlib import Path

import pytest

from inferometer.__main__ import outcome
from inferometer.slo_rules import BRIEF, NAMES
from slo.rules.catalogue import CATALOGUE, page


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert outcome([*words]) == 0
    return capsys.readouterr().out


def test_every_rule_is_printed_with_what_is_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("slo: {rules: {oom: {enabled: false, threshold: 4}, p99_drift: {options: {anchor_s: 2}}}}")
    lines = printed(capsys, "slo", "rules", "--config", str(file), "--output", "json").splitlines()
    rows = {row["rule"]: row for row in map(json.loads, lines)}

    assert rows.keys() == {one.value for one in CATALOGUE}
    assert (rows["oom"]["enabled"], rows["oom"]["threshold"], rows["oom"]["window_s"]) == (False, 4.0, None)
    assert rows["p99_drift"]["options"] == "anchor_s=2"
    assert all(tuple(row) == NAMES for row in rows.values())
    assert set(BRIEF) <= set(NAMES)


def test_a_mistake_in_the_configuration_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("slo: {rules: {oom: {mod: naive}}}")

    assert outcome(["slo", "rules", "--config", str(file)]) == 2
    assert "slo.rules.oom.mod: unknown key, nearest is slo.rules.oom.mode" in capsys.readouterr().err


def test_the_page_of_rules_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "config", "rules") == page()
    assert "error_rate_jump" in printed(capsys, "slo", "rules")
