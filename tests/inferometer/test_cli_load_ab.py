from pathlib import Path

import pytest

from inferometer.__main__ import outcome

NOBODY = "http://127.0.0.1:9"
SHORT = ["--seconds", "1", "--warm-up", "0"]


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        pytest.param([NOBODY], 2, "URL_A URL_B, or --self URL_A", id="one target"),
        pytest.param([NOBODY, NOBODY, "--self"], 2, "URL_A URL_B, or --self URL_A", id="two that are one"),
        pytest.param([NOBODY, NOBODY], 5, "does not answer", id="nobody answers"),
        pytest.param([NOBODY, "--self"], 5, "does not answer", id="nobody answers itself"),
        pytest.param([NOBODY, "http://10.0.0.1:8000"], 5, "does not answer", id="the first is asked first"),
        pytest.param(["http://10.0.0.1:8000", NOBODY], 2, "load.allowed_targets", id="another machine"),
        pytest.param([NOBODY, NOBODY, "--rate", "20000", *SHORT], 2, "rate_rps_max", id="above a ceiling"),
        pytest.param([NOBODY, NOBODY, "--seconds", "3"], 2, "--warm-up: found 60 s of 3 s", id="nothing measured"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    words: list[str],
    code: int,
    named: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    found = outcome(["load", "ab", *words, "--data", str(tmp_path)])
    out, err = capsys.readouterr()

    assert (code, "", 1) == (found, out, err.count("\n"))
    assert named in err
    assert [] == list(tmp_path.iterdir())
