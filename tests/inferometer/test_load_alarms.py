"""False alarms by key: added up, kept within bounds, and what blocks says so."""

from pathlib import Path

import msgspec
import pytest
from load_runs import ENGINE, plan

from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.load_alarms import RUNS_MAX, STANDING_BYTES_MAX, keep, known, objections, words
from inferometer.load_key import key
from loadtest.baseline import Key
from loadtest.paired import FalseAlarms
from loadtest.planner import build
from loadtest.run_spec import RunSpec


def a_key(model: str = "m") -> Key:
    run = RunSpec(run_id="r", targets=("http://a",), plan=plan(), directory="d", model=model)
    return key(run, build(run.plan), ENGINE)


def some(alarms: int, n: int = 100) -> FalseAlarms:
    return FalseAlarms(alarms=alarms, n=n)


def test_runs_of_one_key_add_up(tmp_path: Path) -> None:
    assert some(0, 0) == known(tmp_path, a_key())
    assert some(3) == keep(tmp_path, a_key(), "r1", some(3))
    assert some(5, 200) == keep(tmp_path, a_key(), "r2", some(2))
    assert some(5, 200) == known(tmp_path, a_key())
    assert some(0, 0) == known(tmp_path, a_key("another"))


def test_a_key_that_alarms_too_often_gives_no_verdict(tmp_path: Path) -> None:
    keep(tmp_path, a_key(), "r1", some(9))
    assert [] == objections(tmp_path, a_key())
    keep(tmp_path, a_key(), "r2", some(30))
    (case,) = objections(tmp_path, a_key())

    assert ("false_alarms", "inconclusive") == (case.name, case.verdict)
    assert case.message.startswith("39 false alarms of 200, 19.5 % [14.6, 25.5], allowed 7 %")
    assert [] == objections(tmp_path, a_key("another"))
    assert "never compared with itself" == words(some(0, 0))


def test_the_oldest_run_goes_first(tmp_path: Path) -> None:
    keep(tmp_path, a_key(), "first", some(100))
    for number in range(RUNS_MAX):
        keep(tmp_path, a_key(), f"r{number}", some(1))

    assert some(RUNS_MAX, 100 * RUNS_MAX) == known(tmp_path, a_key())


@pytest.mark.parametrize(
    ("data", "named"),
    [(b"[{}]", "remove it"), (b"x", "remove it"), (b"[]" + b" " * (STANDING_BYTES_MAX - 1), "longer than")],
)
def test_a_file_that_says_something_else_is_no_silence(data: bytes, named: str, tmp_path: Path) -> None:
    keep(tmp_path, a_key(), "r", some(1))
    (path,) = (tmp_path / "load_aa").iterdir()
    path.write_bytes(data)

    with pytest.raises(ConfigurationError, match=named):
        objections(tmp_path, a_key())


def test_the_longest_file(tmp_path: Path) -> None:
    keep(tmp_path, a_key(), "r", some(1))
    (path,) = (tmp_path / "load_aa").iterdir()
    path.write_bytes(msgspec.json.encode([]).ljust(STANDING_BYTES_MAX))

    assert some(0, 0) == known(tmp_path, a_key())


def test_what_cannot_be_kept_or_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "load_aa").write_text("a file")

    with pytest.raises(ConfigurationError, match="Not a directory"):
        known(tmp_path, a_key())
    with pytest.raises(ConfigurationError, match="Not a directory"):
        keep(tmp_path, a_key(), "r", some(1))
    (tmp_path / "load_aa").unlink()
    (tmp_path / "load_aa").mkdir()
    keep(tmp_path, a_key(), "r", some(1))
    (path,) = (tmp_path / "load_aa").iterdir()
    path.unlink()
    path.mkdir()
    with pytest.raises((ConfigurationError, UnreachableError)):
        keep(tmp_path, a_key(), "r", some(1))
