"""Acts follow one another, whoever writes them; what was changed afterwards is found."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec
import pytest

from inferometer import load_trail
from inferometer.data_directory import DataDirectory
from inferometer.errors import InferometerError
from inferometer.load_trail import FILE, noted
from slo.audit import Act, By, Deed, broken_at
from telemetry.load_records import ActRow


def save(root: Path, name: str) -> ActRow:
    by = By(who="me", at_s=1_790_000_000, reason="it's fast")
    return noted(DataDirectory(root=root), Deed.BASELINE_SAVED, name, by, ({}, {"runs": ["r1"]}))


def acts(root: Path) -> list[Act]:
    return [msgspec.json.decode(line, type=Act) for line in (root / "runs" / FILE).read_bytes().splitlines()]


def test_each_act_follows_the_one_before(tmp_path: Path) -> None:
    rows = [save(tmp_path, name) for name in ("a", "b", "c")]
    found = acts(tmp_path)

    assert [None, "a", "b", "c"] == [broken_at(found), *(one.object for one in found)]
    assert [one.hash for one in found] == [row.hash.hex() for row in rows]
    assert '{"reason":"it\'s fast","runs":["r1"]}' == rows[0].after
    assert (bytes(32), rows[0].hash) == (rows[0].prev_hash, rows[1].prev_hash)

    path = tmp_path / "runs" / FILE
    path.write_bytes(path.read_bytes().replace(b'"object":"b"', b'"object":"x"'))
    assert 1 == broken_at(acts(tmp_path))


def test_writers_at_once_make_one_chain(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(partial(save, tmp_path), map(str, range(40))))

    assert (40, None) == (len(acts(tmp_path)), broken_at(acts(tmp_path)))


def test_a_trail_that_cannot_go_on_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path, "a")
    path = tmp_path / "runs" / FILE
    whole = path.read_bytes()
    path.write_bytes(whole + b"{}\n")
    with pytest.raises(InferometerError, match=r"audit\.jsonl:2: not an act"):
        save(tmp_path, "b")
    path.write_bytes(whole)
    monkeypatch.setattr(load_trail, "TRAIL_BYTES_MAX", len(whole) - 1)
    with pytest.raises(InferometerError, match="longer than"):
        save(tmp_path, "b")
    path.unlink()
    path.mkdir()
    with pytest.raises(InferometerError, match="Is a directory"):
        save(tmp_path, "b")


def test_an_act_that_was_cut_off_is_none(tmp_path: Path) -> None:
    path = tmp_path / "runs" / FILE
    save(tmp_path, "a")
    save(tmp_path, "b")
    path.write_bytes(path.read_bytes()[:-9])
    save(tmp_path, "c")

    assert (["a", "c"], None) == ([one.object for one in acts(tmp_path)], broken_at(acts(tmp_path)))
