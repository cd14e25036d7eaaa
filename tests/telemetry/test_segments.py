import json
import os
import stat
from pathlib import Path

import pytest

from telemetry.errors import SpoolOwnedError, SpoolVersionError
from telemetry.segments import (
    QUARANTINE,
    QUARANTINE_FILES_MAX,
    create_segment,
    find_segments,
    is_free,
    quarantine_copy,
    quarantine_move,
    read_cursor,
    take_lock,
    write_cursor,
)
from telemetry.spool_format import HEADER_BYTES, Cursor, Header, decode_header

EPOCH = bytes(range(16))
HEADER = Header(0, 5, EPOCH, 1, 42)


def cursor(generation: int) -> Cursor:
    return Cursor(generation, "n1", EPOCH, 100 + generation, {}, {})


def test_a_new_segment_is_private_named_by_its_first_seq_and_has_its_head(tmp_path: Path) -> None:
    segment = create_segment(tmp_path, HEADER, 7)
    segment.write(b"frame")
    segment.close()
    segment.close()

    assert segment.path.name == "000000000000002a.seg"
    assert stat.S_IMODE(segment.path.stat().st_mode) == 0o600
    assert decode_header(segment.path.read_bytes()) == HEADER
    assert segment.size == HEADER_BYTES + 5 == segment.path.stat().st_size


def test_a_first_seq_is_used_once(tmp_path: Path) -> None:
    create_segment(tmp_path, HEADER, 0).close()

    with pytest.raises(FileExistsError):
        create_segment(tmp_path, HEADER, 0)


def test_segments_are_found_by_first_seq_and_strangers_apart(tmp_path: Path) -> None:
    for first_seq in (300, 20, 1):
        create_segment(tmp_path, HEADER._replace(first_seq=first_seq), 0).close()
    for n, other in enumerate(
        (HEADER._replace(node_hash=6), HEADER._replace(epoch=bytes(16)), HEADER._replace(lane=99))
    ):
        create_segment(tmp_path, other._replace(first_seq=1000 + n), 0).close()
    (tmp_path / "notes.seg").write_bytes(b"not ours")
    (tmp_path / "reserve.seg").write_bytes(b"")

    ours, foreign = find_segments(tmp_path, EPOCH, 5)

    assert [segment.header.first_seq for segment in ours] == [1, 20, 300]
    assert not any(segment.scanned for segment in ours)
    assert sorted(path.name for path in foreign) == [
        "00000000000003e8.seg",
        "00000000000003e9.seg",
        "00000000000003ea.seg",
        "notes.seg",
    ]


def test_a_damaged_head_costs_nothing(tmp_path: Path) -> None:
    segment = create_segment(tmp_path, HEADER, 0)
    segment.close()
    data = bytearray(segment.path.read_bytes())
    data[20] ^= 1
    segment.path.write_bytes(bytes(data))

    (found,), foreign = find_segments(tmp_path, EPOCH, 5)

    assert (found.header.first_seq, found.header.epoch) == (42, EPOCH)
    assert foreign == []


def test_a_newer_version_stops_the_start_and_is_not_touched(tmp_path: Path) -> None:
    segment = create_segment(tmp_path, HEADER, 0)
    segment.close()
    data = bytearray(segment.path.read_bytes())
    data[8] = 2
    segment.path.write_bytes(bytes(data))

    with pytest.raises(SpoolVersionError, match="version 2"):
        find_segments(tmp_path, EPOCH, 5)
    assert segment.path.read_bytes() == bytes(data)


def test_a_directory_has_one_owner_and_the_second_learns_who(tmp_path: Path) -> None:
    assert not is_free(tmp_path)
    fd = take_lock(tmp_path, {"pid": 4711})

    assert not is_free(tmp_path)
    with pytest.raises(SpoolOwnedError, match=r"4711.*choose another directory"):
        take_lock(tmp_path, {"pid": 1})
    assert json.loads((tmp_path / "spool.lock").read_text()) == {"pid": 4711}
    os.close(fd)
    assert is_free(tmp_path)


def test_the_newest_undamaged_cursor_counts(tmp_path: Path) -> None:
    assert read_cursor(tmp_path) is None
    for generation in (1, 2, 3):
        write_cursor(tmp_path, cursor(generation))
    assert read_cursor(tmp_path) == cursor(3)

    (tmp_path / "cursor.b").write_bytes(b"damage")

    assert read_cursor(tmp_path) == cursor(2)


def test_a_copy_in_quarantine_is_made_once_and_not_without_bound(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.seg" for n in range(QUARANTINE_FILES_MAX + 1)]
    for path in paths:
        path.write_bytes(b"damage")

    kept = [quarantine_copy(tmp_path, path) for path in paths]

    assert kept == [True] * QUARANTINE_FILES_MAX + [False]
    assert all(path.exists() for path in paths)
    assert not quarantine_copy(tmp_path, paths[0])


def test_a_foreign_file_moves_and_never_replaces_another(tmp_path: Path) -> None:
    for text in (b"first", b"second"):
        (tmp_path / "x.seg").write_bytes(text)
        assert quarantine_move(tmp_path, tmp_path / "x.seg")

    found = sorted(path.read_bytes() for path in (tmp_path / QUARANTINE).iterdir())

    assert found == [b"first", b"second"]
    assert not quarantine_move(tmp_path, tmp_path / "gone.seg")
