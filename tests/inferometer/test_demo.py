"""The demo says that it is simulated, and is not led astray by the user's own configuration."""

import os
from pathlib import Path

import pytest

from inferometer import config
from inferometer.config_sources import from_yaml
from inferometer.data_directory import DataDirectory
from inferometer.demo import ENDPOINT, READY_S_MAX, Options, children, clean_environment


def test_the_user_s_configuration_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFEROMETER_STORE__URL", "http://production:8123")

    env = clean_environment()

    assert [name for name in env if name.startswith("INFEROMETER_")] == ["INFEROMETER_CONFIG"]
    assert env["INFEROMETER_CONFIG"] == os.devnull
    assert env["PATH"] == os.environ["PATH"]


def test_the_endpoint_is_named_simulated_and_the_traffic_ends_first(tmp_path: Path) -> None:
    data = DataDirectory(root=tmp_path)
    made = children([9, 10, 11, 12, 13], data, Options(seed=3))
    told = config.check(from_yaml((tmp_path / "demo" / "config.yaml").read_text(), "config.yaml"))

    assert "simulated" in ENDPOINT
    assert (ENDPOINT, "http://127.0.0.1:9", 4) == (told.target.endpoint, told.target.url, len(told.target.replicas))
    assert [path for path in told.slo.objectives if not Path(path).is_file()] == []
    assert [child.role for child in sorted(made, key=lambda child: child.stop_rank)] == [
        *["simulated traffic", "story", "up", "simulated fleet"]
    ]
    assert READY_S_MAX >= 30
