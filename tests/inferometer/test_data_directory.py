"""One owner, nothing written before it is sure, a status that is whole or absent."""

import json
import os
from pathlib import Path

import pytest

from inferometer import data_directory
from inferometer.data_directory import STATUS_BYTES_MAX, DataDirectory
from inferometer.errors import ConfigurationError, UnreachableError


@pytest.mark.parametrize(
    ("configured", "environ", "expected"),
    [
        pytest.param("/d", {"XDG_DATA_HOME": "/x"}, "/d", id="configured"),
        pytest.param(None, {"XDG_DATA_HOME": "/x"}, "/x/inferometer", id="XDG_DATA_HOME"),
        pytest.param(None, {}, str(Path.home() / ".local/share/inferometer"), id="below the home directory"),
    ],
)
def test_the_directory_is_found(configured: str | None, environ: dict[str, str], expected: str) -> None:
    assert expected == str(data_directory.resolve(configured, environ).root)


def test_a_file_in_the_way_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UnreachableError, match=f"{tmp_path}/file is a file"):
            data_directory.refuse_unusable(DataDirectory(root=root))
        with pytest.raises(UnreachableError, match="--data"):
            data_directory.own(DataDirectory(root=root), started_at="now")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_usable_directory_is_not_made_by_looking(tmp_path: Path) -> None:
    data_directory.refuse_unusable(DataDirectory(root=tmp_path / "a" / "b"))

    assert list(tmp_path.iterdir()) == []


def test_the_owner_is_named_until_it_lets_go(tmp_path: Path) -> None:
    data = DataDirectory(root=tmp_path / "d")
    lock = data_directory.own(data, started_at="then")

    assert data_directory.owner_of(data) == {"pid": os.getpid(), "started_at": "then"}
    for take in (lambda: data_directory.own(data, started_at="x"), lambda: data_directory.refuse_unusable(data)):
        with pytest.raises(ConfigurationError, match=f"owned by process {os.getpid()} since then"):
            take()
    lock.close()
    assert data_directory.owner_of(data) == {}
    data_directory.own(data, started_at="again").close()
    assert (data.root.stat().st_mode & 0o777, data.run.is_dir(), data.spool.is_dir()) == (0o700, True, True)


def test_a_status_is_only_believed_while_its_writer_lives(tmp_path: Path) -> None:
    data = DataDirectory(root=tmp_path)
    lock = data_directory.own(data, started_at="then")

    assert data_directory.read_status(data) == {}
    data_directory.write_status(data, {"pid": 1})
    assert data_directory.read_status(data) == {"pid": 1}
    data.status.write_text(json.dumps("x" * STATUS_BYTES_MAX))
    assert data_directory.read_status(data) == {}
    data_directory.write_status(data, {"pid": 1})
    lock.close()
    assert data_directory.read_status(data) == {}


def test_a_lock_that_says_nothing_still_has_an_owner(tmp_path: Path) -> None:
    data = DataDirectory(root=tmp_path)
    lock = data_directory.own(data, started_at="then")
    lock.truncate(0)

    assert data_directory.owner_of(data) == {"pid": None}
    lock.close()
