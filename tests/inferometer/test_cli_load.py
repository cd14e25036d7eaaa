import json
import socket
from pathlib import Path

import pytest

from inferometer.__main__ import outcome
from loadtest.run_spec import IN_FLIGHT_MAX

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "no-data"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        pytest.param([NOBODY], 5, "does not answer", id="nobody answers"),
        pytest.param(["http://10.0.0.1:8000"], 2, "load.allowed_targets", id="another machine"),
        pytest.param(["10.0.0.1:8000"], 2, "allowed: http://HOST:PORT", id="no URL"),
        pytest.param([NOBODY, "--seconds", "5", "--count", "5"], 2, "one of duration_s and count", id="two ends"),
        pytest.param([NOBODY, "--tokens-in", "x"], 2, "--tokens-in", id="no length"),
        pytest.param([NOBODY, "--process", "gamma"], 2, "shape", id="no shape"),
        pytest.param([NOBODY, "--closed", "0"], 2, "--closed", id="no user"),
        pytest.param([NOBODY, "--rate", "0"], 2, "--rate", id="no rate"),
        pytest.param([NOBODY, "--rate", "20000", "--count", "1"], 2, "rate_rps_max", id="above a ceiling"),
        pytest.param([NOBODY, "--idle-wait", "-1"], 2, "--idle-wait", id="no wait"),
    ],
)
def test_what_cannot_be_run_is_one_line_and_leaves_nothing(
    words: list[str], code: int, named: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = outcome(["load", "run", *words])
    out, err = capsys.readouterr()

    assert (code, "", 1) == (found, out, err.count("\n"))
    assert named in err
    assert [] == list(tmp_path.iterdir())


def test_a_wrong_word_of_the_null_server_names_all_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == outcome(["load", "nullserver", "ttft=1"])
    assert "ttft_s" in capsys.readouterr().err


def test_a_taken_port_is_unreachable(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert 5 == outcome(["load", "nullserver", "--port", str(taken.getsockname()[1])])
    assert "already in use" in capsys.readouterr().err


def test_the_ceilings_are_keys_of_the_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == outcome(["config", "show"])
    keys = json.loads(capsys.readouterr().out)["load"]

    assert {
        *("allowed_targets", "rate_rps_max", "duration_s_max", "tokens_max", "cost_usd_max", "usd_per_mtok_in"),
        *("usd_per_mtok_out", "abort_on_burn", "burn_from", "burn_endpoint"),
    } == set(keys)
    assert 4096 == IN_FLIGHT_MAX
