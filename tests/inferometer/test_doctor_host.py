"""This machine, the data directory and its disk."""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from inferometer import data_directory
from inferometer.config_schema import Config, StoreKeys, Target
from inferometer.data_directory import DataDirectory
from inferometer.doctor_finding import Finding, Level
from inferometer.doctor_host import (
    FREE_BYTES_WANTED,
    SYNC_S_MAX,
    SYNC_US_MAX,
    SYNCS_MAX,
    disk_speed,
    examine,
    machine,
)

UNWRITABLE = Path("/proc/self")
"""Not even by root."""


def by_id(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {one.id: one for one in findings}


def looked(config: Config, root: Path) -> dict[str, Finding]:
    return by_id(examine(config, DataDirectory(root=root), sync_s=0.0))


def test_the_machine_is_told_with_what_it_allows() -> None:
    found = by_id(machine())

    assert found["host.python"].level is Level.OK
    assert found["host.limits"].finding.endswith("file descriptors allowed")


def test_nothing_is_left_behind_and_the_disk_is_timed(tmp_path: Path) -> None:
    found = looked(Config(), tmp_path / "d")

    assert list(tmp_path.iterdir()) == []
    assert {found[name].level for name in ("data.owner", "spool.disk", "host.packages")} == {Level.OK}
    assert found["spool.sync"].finding.startswith("fdatasync p50 ")


@pytest.mark.parametrize(("limit_s", "says"), [(60.0, f"p99 .* ms of {SYNCS_MAX}$"), (0.0, "slowest .* ms of 1$")])
def test_a_percentile_is_only_claimed_with_enough_syncs(tmp_path: Path, limit_s: float, says: str) -> None:
    found = disk_speed(tmp_path, limit_s)

    assert re.search(says, found.finding)
    assert (SYNC_S_MAX, SYNC_US_MAX) == (0.5, 100_000)  # spec/reliability.md 2: at most 100 ms are lost


def test_a_disk_without_a_file_is_told() -> None:
    found = disk_speed(UNWRITABLE)

    assert (found.level, found.id) == (Level.WARN, "spool.sync")
    assert "no file can be written" in found.finding


def test_a_directory_without_rights_is_an_error_and_stops_the_rest(tmp_path: Path) -> None:
    (tmp_path / "d").touch()
    found = looked(Config(), tmp_path / "d")

    assert (found["data.owner"].level, found["data.owner"].exit_code) == (Level.ERROR, 5)
    assert "spool.disk" not in found


def test_a_directory_in_use_is_no_fault(tmp_path: Path) -> None:
    data = DataDirectory(root=tmp_path / "d")
    lock = data_directory.own(data, started_at="then")
    found = looked(Config(), data.root)

    assert found["data.owner"].finding == f"{data.root} is in use by process {os.getpid()}"
    assert "data.mode" not in found  # it is made with mode 0700
    lock.close()


def test_a_directory_that_others_can_look_into_is_told(tmp_path: Path) -> None:
    root = tmp_path / "d"
    root.mkdir(mode=0o755)
    found = looked(Config(), root)

    assert (found["data.mode"].level, found["data.mode"].fix) == (Level.WARN, f"chmod 700 {root}")


def test_a_secret_that_others_can_read_is_told(tmp_path: Path) -> None:
    key, password = tmp_path / "key", tmp_path / "password"
    for file, mode in ((key, 0o644), (password, 0o600)):
        file.write_text("x")
        file.chmod(mode)
    config = Config(target=Target(api_key_file=str(key)), store=StoreKeys(password_file=str(password)))

    found = looked(config, tmp_path / "d")["config.secrets"]
    assert (found.level, found.fix) == (Level.WARN, f"chmod 600 {key}")

    key.chmod(0o600)
    found = looked(config, tmp_path / "d")["config.secrets"]
    assert (found.level, found.finding) == (Level.OK, "2 secret files, none readable by others")


def test_a_full_disk_is_told_by_the_bytes_that_the_store_wants(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    found = looked(Config(), tmp_path / "d")["spool.disk"]

    assert FREE_BYTES_WANTED == 1 << 30
    assert (found.level is Level.OK) is (free >= FREE_BYTES_WANTED)
