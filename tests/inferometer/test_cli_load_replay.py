from pathlib import Path

import pytest

from inferometer.__main__ import outcome

AZURE = str(Path(__file__).parent.parent / "fixtures" / "traces" / "azure.csv")
NOBODY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        pytest.param(["none.csv", NOBODY, "--format", "azure"], 2, "No such file", id="no file"),
        pytest.param([AZURE, NOBODY, "--format", "mooncake"], 2, "line 1", id="another format"),
        pytest.param([AZURE, NOBODY], 2, "--format", id="no format"),
        pytest.param([AZURE, NOBODY, "--format", "azure"], 5, "does not answer", id="nobody answers"),
    ],
)
def test_what_cannot_be_replayed_is_one_line(
    words: list[str],
    code: int,
    named: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    found = outcome(["load", "replay", *words, "--data", str(tmp_path)])
    out, err = capsys.readouterr()

    assert (code, "", 1) == (found, out, err.count("\n"))
    assert named in err
