"""What load tests keep reaches a real store once, whoever ships it, and else stays in the spool."""

from pathlib import Path

import pytest

from inferometer import load_files, load_ship
from inferometer.config_schema import Config
from inferometer.data_directory import DataDirectory
from telemetry.clock import wall_ms
from telemetry.load_records import ProfileRow
from telemetry.queries.profiles import profiles
from telemetry.spool import Spool, orphans
from telemetry.testing.store_process import StoreProcess


def profile(target: str) -> ProfileRow:
    now_ms = wall_ms()
    return ProfileRow(
        target=target, mu_star_per_s=2.5, made_at=now_ms, valid_until=now_ms + 99_000, profile_json='{"a":1}'
    )


def stored(process: StoreProcess, target: str) -> list[dict[str, object]]:
    return [row for row in process.store("reader").query(profiles(wall_ms() + 1)) if row["target"] == target]


def waiting(data: DataDirectory) -> list[Path]:
    return [path for path in orphans(data.spool) if load_files.is_spool(path.name)]


def test_without_a_store_rows_wait_and_the_next_verb_ships_them(
    process: StoreProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    data = DataDirectory(root=process.data)
    nowhere = Config.model_validate({"data": str(process.data), "store": {"url": "http://127.0.0.1:9"}})
    load_ship.keep(nowhere, "waits", [profile("waits")])
    said = capsys.readouterr().err
    assert ("does not answer" in said, "for inferometer up" in said) == (True, True)
    assert [] == stored(process, "waits")
    assert ["waits"] == [path.name.partition("-load-")[2] for path in waiting(data)]

    load_ship.keep(Config(data=str(process.data)), "goes", [profile("goes")])
    assert "" == capsys.readouterr().err
    assert [1, 1] == [len(stored(process, name)) for name in ("waits", "goes")]
    assert [2.5, '{"a":1}'] == [stored(process, "goes")[0][name] for name in ("mu_star_per_s", "profile_json")]
    assert [] == list(data.spool.glob("*-load-goes"))  # a spool that is empty goes

    load_ship.ship(nowhere)  # nothing waits, so nobody is asked
    assert "" == capsys.readouterr().err


def test_a_spool_that_another_owns_is_left_to_it(process: StoreProcess) -> None:
    data = DataDirectory(root=process.data)
    directory = Path(load_files.spooled(data, "owned", (), [profile("owned")]))
    owner = Spool(directory, node="n")
    load_ship.ship(Config(data=str(process.data)))
    assert [] == stored(process, "owned")
    owner.close()

    load_ship.ship(Config(data=str(process.data)))
    assert 1 == len(stored(process, "owned"))


def test_what_a_store_refuses_is_told(process: StoreProcess, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {"url": process.url, "user": "writer", "password": "wrong"}
    load_ship.keep(Config.model_validate({"data": str(process.data), "store": wrong}), "refused", [profile("refused")])
    assert "not in the store yet: store" in capsys.readouterr().err

    load_ship.ship(Config(data=str(process.data)))
    assert 1 == len(stored(process, "refused"))


def test_no_data_directory_means_nothing_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_ship.ship(Config(data=str(tmp_path)))
    load_ship.keep(Config(data=str(tmp_path)), "nothing", [])

    assert ("", []) == (capsys.readouterr().err, list(tmp_path.iterdir()))


def test_the_oldest_of_very_many_spools_are_left_to_a_supervisor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_ship, "SPOOLS_MAX", 1)
    assert load_ship.SHIP_S > 0
    for name in ("a", "b"):
        load_files.spooled(DataDirectory(root=tmp_path), name, (), [profile(name)])
    load_ship.ship(Config(data=str(tmp_path)))

    assert "-load-b for inferometer up" in capsys.readouterr().err
