from pathlib import Path

import pytest

from inferometer.__main__ import outcome

NOBODY = "http://127.0.0.1:9"
FAST = [NOBODY, "--ttft-max", "1", "--seconds", "1", "--warm-up", "0"]


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        pytest.param([NOBODY], 2, "needs an objective", id="no objective"),
        pytest.param([NOBODY, "--slo", "fast"], 2, "allowed: llama2-70b", id="no preset"),
        pytest.param([NOBODY, "--ttft-max", "1"], 5, "does not answer", id="nobody answers"),
        pytest.param([*FAST, "--around", "20000"], 2, "rate_rps_max", id="above a ceiling"),
    ],
)
def test_what_cannot_be_searched_is_one_line(
    words: list[str],
    code: int,
    named: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    found = outcome(["load", "sweep", *words, "--data", str(tmp_path)])
    out, err = capsys.readouterr()

    assert (code, "", 1) == (found, out, err.count("\n"))
    assert named in err
    assert [] == list(tmp_path.iterdir())
