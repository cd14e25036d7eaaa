from pathlib import Path

import msgspec
import pytest

from inferometer.errors import UnreachableError
from inferometer.load_calibration import VALID_DAYS, Calibration, ceiling, here, keep


def test_a_calibration_is_kept(tmp_path: Path) -> None:
    keep(tmp_path / "data", here(30_000.0, 90.0, (2.0, 17.0)))

    assert 30_000.0 == ceiling(tmp_path / "data")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"made_at": -(VALID_DAYS * 86_400_000)}, id="too old"),
        pytest.param({"host": "another"}, id="another machine"),
        pytest.param({"version": "0"}, id="another version"),
    ],
)
def test_a_calibration_of_something_else_says_nothing(tmp_path: Path, change: dict[str, object]) -> None:
    made = here(30_000.0, 90.0, (None, None))
    at = change.get("made_at")
    changed: Calibration = msgspec.structs.replace(
        made, **change | ({"made_at": made.made_at + at} if isinstance(at, int) else {})
    )
    keep(tmp_path, changed)

    assert ceiling(tmp_path) is None


def test_none_was_made(tmp_path: Path) -> None:
    assert ceiling(tmp_path) is None
    (tmp_path / "load_calibration.json").write_text("{")
    assert ceiling(tmp_path) is None


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UnreachableError, match="load_calibration"):
        keep(tmp_path / "file", here(1.0, 1.0, (None, None)))
