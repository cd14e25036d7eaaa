"""The keys of scaling hints, and what becomes of them on the way to the process that serves."""

import json
from pathlib import Path

import pytest

from inferometer.config import check
from inferometer.config_sources import from_yaml
from inferometer.errors import ConfigurationError
from inferometer.hints_file import Defaults
from inferometer.hints_keys import targets, told
from inferometer.serve import ServeConfig
from telemetry.handed import handed

PEAK = '{name: p, cron: "0 14 * * 1-5", tz: America/New_York, duration: 3h, expected_rps: 20}'


def test_what_a_target_leaves_out_is_taken_from_the_keys(tmp_path: Path) -> None:
    file = tmp_path / "targets.yaml"
    file.write_text(f"targets: [{{name: chat, schedules: [{PEAK}]}}]\n")
    keys = check(from_yaml(f"hints: {{targets: {file}, queue_depth_hi: 50, pre_scale_s: 1200, ttl_s: 45}}", "f")).hints
    (one,) = targets(keys, "ignored")

    assert Defaults(queue_depth_hi=50, pre_scale_s=1_200, ttl_s=45) == keys.usual
    assert ("chat", 50, 45, 1_200) == (
        one.name, one.settings.queue_depth_hi, one.settings.ttl_s, one.settings.schedules[0].pre_scale_s,
    )  # fmt: skip


def test_without_a_file_an_endpoint_is_a_target_of_its_own() -> None:
    keys = check({}).hints

    assert () == targets(keys)
    assert ["chat"] == [one.endpoint for one in targets(keys, "chat")]


def test_targets_reach_the_process_that_serves_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "targets.yaml"
    file.write_text(f"targets: [{{name: chat, slo: good, schedules: [{PEAK}]}}, {{name: b, zero_allowed: true}}]\n")
    found = targets(check(from_yaml(f"hints: {{targets: {file}}}", "f")).hints)
    config: dict[str, object] = {
        "host": "h",
        "port": 1,
        "objectives": [],
        "ledger": "l",
        "replica": "r",
        "store_url": "s",
    }

    assert found == handed(json.dumps(config | {"hints": told(found)}), ServeConfig).hints


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hints: {ttl_s: 30}", "f:1: hints.ttl_s: found 30; allowed: seconds from 31 to 3600"),
        ("hints: {queue_depth_hi: 0}", "f:1: hints.queue_depth_hi: found 0; allowed: requests per replica"),
        ("hints: {target: x}", "f:1: hints.target: unknown key, nearest is"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        check(from_yaml(text, "f"))

    assert str(refused.value).startswith(said)
