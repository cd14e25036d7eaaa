"""What a step needs is a target that answers; on real processes: tests/system/test_load_sweep.py."""

import socket
from pathlib import Path

import pytest
from test_load_options import options

from inferometer.config_schema import Config
from inferometer.errors import UnreachableError
from inferometer.load_step import Carrier


def test_a_sweep_of_nobody_leaves_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(UnreachableError, match="does not answer"):
        Carrier(Config(data=str(tmp_path)), options(target=f"http://127.0.0.1:{port}"), "s")
    assert [] == list(tmp_path.iterdir())
