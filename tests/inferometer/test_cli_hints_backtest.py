import pytest

from inferometer.__main__ import outcome
from inferometer.cli_hints_backtest import POLICIES
from slo.scaling.policies.catalogue import NAMES


def test_the_policies_that_are_compared_by_default_exist() -> None:
    assert set(POLICIES.split(",")) <= set(NAMES)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        pytest.param(["--seeds", "0"], "--seeds", id="no seed"),
        pytest.param(["--loss", "2"], "--loss", id="more than all"),
        pytest.param(["--format", "excel"], "--format", id="no format"),
    ],
)
def test_what_cannot_be_meant_is_one_line(words: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = outcome(["hints", "backtest", *words])
    out, err = capsys.readouterr()

    assert (2, "") == (code, out)
    assert named in err
