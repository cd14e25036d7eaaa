from pathlib import Path

import pytest

from inferometer.__main__ import outcome

NOBODY = "http://127.0.0.1:9"
SHORT = ["--before", "1", "--for", "1", "--after", "1"]


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        pytest.param(["soak", NOBODY], 5, "does not answer", id="nobody answers"),
        pytest.param(["soak", "http://10.0.0.1:80"], 2, "load.allowed_targets", id="another machine"),
        pytest.param(["spike", NOBODY], 5, "does not answer", id="nobody answers a spike"),
        pytest.param(["spike", NOBODY, "--rate", "2001", *SHORT], 2, "rate_rps_max", id="a spike above a ceiling"),
        pytest.param(["cold", NOBODY], 5, "does not answer", id="nobody is cold"),
        pytest.param(["cold", NOBODY, "--count", "3"], 2, "--count", id="too few to be cold"),
        pytest.param(["soak", NOBODY, "--seconds", "300"], 2, "--warm-up: found 300 s of 300 s", id="nothing measured"),
        pytest.param(["soak", NOBODY, "--idle-wait", "-1"], 2, "--idle-wait", id="no wait"),
        pytest.param(["spike", NOBODY, "--abort-on-burn", "--burn-from", NOBODY], 5, "does not answer", id="a watch"),
        pytest.param(
            ["cold", NOBODY, "--burn-endpoint", "chat", "--no-abort-on-burn"], 5, "does not answer", id="none"
        ),
        pytest.param(["soak", NOBODY, "--growth-max", "0"], 2, "--growth-max", id="no growth at all"),
    ],
)
def test_what_cannot_be_run_is_one_line(
    words: list[str],
    code: int,
    named: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    found = outcome(["load", *words, "--data", str(tmp_path)])
    out, err = capsys.readouterr()

    assert (code, "", 1) == (found, out, err.count("\n"))
    assert named in err
    assert [] == list(tmp_path.iterdir())
