"""The demo says that it is simulated, and is not led astray by the user's own configuration."""

import os
from pathlib import Path

import pytest

from inferometer.address import Address
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
    made = children(Address(host="127.0.0.1", port=9), data, Options(seed=3))
    by_role = {child.role: child for child in made}

    assert "simulated" in ENDPOINT
    assert ENDPOINT in by_role["up"].argv
    assert "http://127.0.0.1:9" in by_role["up"].argv
    assert [child.role for child in sorted(made, key=lambda child: child.stop_rank)] == [
        *["simulated traffic", "up", "simulated engine"]
    ]
    assert READY_S_MAX >= 30
