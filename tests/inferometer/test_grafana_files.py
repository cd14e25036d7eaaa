"""Files for Grafana, as the command line writes them."""

import json
from pathlib import Path

import pytest

from dashboards.grafana_source import UIDS, Flavour
from inferometer.cli import run
from inferometer.errors import ConfigurationError
from inferometer.grafana_files import promise, text, texts, write


@pytest.mark.parametrize("flavour", list(Flavour))
def test_dashboards_and_provisioning_are_written(
    flavour: Flavour, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == run(["config", "grafana", "--flavour", flavour, "--out", str(tmp_path / "out")])
    told = [Path(line) for line in capsys.readouterr().out.splitlines()]

    assert all(path.exists() for path in told)
    assert {f"{tmp_path}/out/{name}" for name in texts(flavour)} == {str(path) for path in told}
    assert {"alerting", "dashboards", "datasources"} == {one.parent.name for one in told if "provisioning" in one.parts}
    assert all(json.loads(path.read_text())["uid"] == path.stem for path in told if path.parent.name == "out")


def test_another_flavour_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--flavour: found influx, allowed: clickhouse, prometheus"):
        run(["config", "grafana", "--flavour", "influx", "--out", str(tmp_path)])


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(ConfigurationError, match=r"--out .*: cannot be written"):
        write(tmp_path / "out", Flavour.CLICKHOUSE)


@pytest.mark.parametrize("flavour", list(Flavour))
def test_rules_are_read_by_the_source_that_is_provisioned(flavour: Flavour) -> None:
    found = texts(flavour)
    (group,) = json.loads(found[f"provisioning/alerting/{UIDS[flavour]}.json"])["groups"]
    asked = {one["data"][0]["datasourceUid"] for one in group["rules"]}

    assert [f"    uid: {uid}" for uid in asked] == [
        line for line in found[f"provisioning/datasources/{UIDS[flavour]}.yaml"].splitlines() if " uid: " in line
    ]


def test_endpoints_are_held_to_the_template_for_one_region() -> None:
    # S3: 99 % is 432 min in 30 d; Workbook table 5-8
    assert (0.99, "30d", ("14.4", "1h", "5m")) == (
        (made := promise()).target,
        made.period,
        (f"{made.rules[0].threshold}", made.rules[0].long, made.rules[0].short),
    )


def test_a_file_is_the_same_each_time() -> None:
    assert '{\n "a": 2,\n "b": 1\n}\n' == text({"b": 1, "a": 2})
