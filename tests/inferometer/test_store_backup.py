"""Copies of real stores: made beside a running one and from a stopped one, brought back, and compared."""

import contextlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from store_rows import answers, fill

from inferometer import store_backup, store_open, store_orders
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError, UnreachableError
from telemetry.testing.store_process import StoreProcess

Copied = tuple[DataDirectory, Path, list[bytes]]


@pytest.fixture(scope="module")
def copied(process: StoreProcess, tmp_path_factory: pytest.TempPathFactory) -> Copied:
    """A store that runs, a copy that was made of it, and what it answers."""
    data = DataDirectory(root=process.data)
    fill(process)
    seen = answers(process)
    file, n_requests = store_backup.backup(data, tmp_path_factory.mktemp("copies"))
    assert n_requests >= 300
    assert seen == answers(process)
    return data, file, seen


def inside(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


@pytest.mark.system
def test_a_copy_of_a_running_store_answers_as_the_store_did(
    copied: Copied, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, file, seen = copied
    copy = DataDirectory(root=tmp_path / "copy")
    store_backup.restore(copy, file)
    with StoreProcess(copy.root) as process:
        assert seen == answers(process)
        fill(process)  # it also works on: views included
        assert seen != answers(process)
    again, n_requests = store_backup.backup(copy, tmp_path / "of a stopped store.tar")

    monkeypatch.setattr(store_orders, "KEPT_FREE_BYTES", 1 << 60)
    with pytest.raises(UnreachableError, match="MiB are needed beside the store"):
        store_backup.backup(copy, tmp_path / "no room.tar")
    with pytest.raises(ConfigurationError, match="holds a store already; choose an empty one with --data"):
        store_backup.restore(copy, file)
    assert n_requests >= 600
    assert again.is_file()
    assert file.name.startswith("inferometer-2")
    assert 0o600 == file.stat().st_mode & 0o777
    assert [] == inside(copy.root / "backups")


def test_what_may_not_be_overwritten_is_named(copied: Copied, tmp_path: Path) -> None:
    data, file, _ = copied

    with pytest.raises(ConfigurationError, match="is there already"):
        store_backup.backup(data, file)
    with pytest.raises(ConfigurationError, match="is in no directory"):
        store_backup.backup(data, tmp_path / "none" / "x.tar")
    with pytest.raises(ConfigurationError, match="is owned by process"):
        store_backup.restore(data, file)
    assert [] == inside(data.root / "backups")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    empty = DataDirectory(root=tmp_path / "empty")

    with pytest.raises(UnreachableError, match="no store lies in"):
        store_backup.backup(empty, tmp_path)
    with pytest.raises(UnreachableError, match="is no file that can be read"):
        store_backup.restore(empty, tmp_path / "none.tar")
    assert [] == inside(tmp_path)


def cut(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def one_bit_flipped(whole: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        largest = max((one for one in archive if one.name.endswith("data.bin")), key=lambda member: member.size)
    at = largest.offset_data + largest.size // 2
    return whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]


@pytest.mark.parametrize("damage", [cut, one_bit_flipped])
def test_a_damaged_copy_leaves_no_store(copied: Copied, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(damage(copied[1].read_bytes()))
    data = DataDirectory(root=tmp_path / "data")

    with pytest.raises(ConfigurationError, match=f"^restore: {damaged}: "):
        store_backup.restore(data, damaged)
    assert not data.store.exists()
    assert not store_open.restoring(data.root).exists()
    assert [] == inside(data.root / "backups")


def test_a_store_whose_restore_was_killed_does_not_open_and_takes_another(copied: Copied, tmp_path: Path) -> None:
    data = DataDirectory(root=tmp_path)
    half = data.store / "metadata"
    half.mkdir(parents=True)
    store_open.restoring(data.root).touch()
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "left.tar").touch()

    with pytest.raises(ConfigurationError, match="did not finish; give it again: inferometer store restore FILE"):
        store_open.opened(data.root)
    store_backup.restore(data, copied[1])
    with contextlib.closing(store_open.opened(data.root)) as engine:
        assert int(engine.execute("SELECT count() FROM inferometer.requests")) >= 300
    assert [] == inside(tmp_path / "backups")
