"""Stores that answer, refuse, hang, lack a table, or lack a right: real ones where one can be had."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from inferometer.config_schema import Config, StoreKeys
from inferometer.data_directory import DataDirectory
from inferometer.doctor_finding import Finding, Level
from inferometer.doctor_store import CLOCK_MS_MAX, examine, rights
from telemetry.testing.store_process import StoreProcess


def looked(config: Config, root: Path) -> list[Finding]:
    return list(examine(config.model_copy(update={"data": str(root)}), DataDirectory(root=root)))


def levels(findings: Iterable[Finding]) -> list[tuple[str, Level]]:
    return [(one.id, one.level) for one in findings]


def keys(url: str, user: str = "reader", password: str = "") -> Config:
    return Config.model_validate({"store": {"url": url, "user": user, "password": password}})


def test_the_embedded_store_is_told_to_be_whole(process: StoreProcess) -> None:
    found = looked(Config(), process.data)

    assert levels(found) == [
        ("store.reach", Level.OK),
        ("clock.sync", Level.OK),
        ("store.rights", Level.OK),
        ("store.rights", Level.OK),
        ("store.schema", Level.OK),
    ]
    assert [one.finding for one in found[2:4]] == ["reader may read", "writer may write"]
    assert CLOCK_MS_MAX == 2000


def test_a_secret_that_the_store_does_not_know_is_told(process: StoreProcess, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "store_reader").write_text(process.secret("reader"))
    (tmp_path / "store.lock").symlink_to(process.data / "store.lock")

    unreadable = [one for one in looked(Config(), tmp_path) if one.id == "store.rights"]
    (tmp_path / "secrets" / "store_writer").write_text("guess")
    refused = [one for one in looked(Config(), tmp_path) if one.id == "store.rights"]

    assert [one.level for one in unreadable] == [Level.OK, Level.WARN]
    assert [(one.level, one.exit_code) for one in refused] == [(Level.OK, 0), (Level.ERROR, 2)]


def test_a_wrong_password_is_a_fault_of_the_configuration(process: StoreProcess, tmp_path: Path) -> None:
    (found,) = looked(keys(process.url, password=process.secret("writer")), tmp_path)

    assert (found.id, found.level, found.exit_code) == ("store.reach", Level.ERROR, 2)
    assert found.finding.startswith(f"store {process.url} refuses: ")
    assert "store.password_file" in found.fix


def test_a_user_that_may_not_ask_for_its_rights_is_told_that(process: StoreProcess, tmp_path: Path) -> None:
    found = looked(keys(process.url, password=process.secret("reader")), tmp_path)

    assert levels(found)[:2] == [("store.reach", Level.OK), ("clock.sync", Level.OK)]
    assert levels(found)[2:] == [("store.rights", Level.NOTE)] * 2 + [("store.schema", Level.OK)]


def test_a_user_that_may_only_write_is_told_that_no_more_can_be_seen(process: StoreProcess, tmp_path: Path) -> None:
    found = looked(keys(process.url, user="writer", password=process.secret("writer")), tmp_path)

    assert levels(found) == [("store.reach", Level.OK), ("store.rights", Level.WARN)]


def test_a_right_that_is_missing_is_told_with_the_grant() -> None:
    has, lacks, unknown = rights("edge", {"SELECT": True, "INSERT": False, "ALTER": None})

    assert (has.level, unknown.level) == (Level.OK, Level.NOTE)
    assert (lacks.level, lacks.exit_code, lacks.fix) == (Level.ERROR, 2, "GRANT INSERT ON inferometer.* TO edge")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no-such-host.invalid:8123"])
def test_a_store_that_is_away_is_unreachable(url: str, tmp_path: Path) -> None:
    (found,) = looked(keys(url), tmp_path)

    assert (found.id, found.level, found.exit_code) == ("store.reach", Level.ERROR, 5)


def test_no_store_yet_is_a_note(tmp_path: Path) -> None:
    assert levels(looked(Config(store=StoreKeys()), tmp_path)) == [("store.reach", Level.NOTE)]
