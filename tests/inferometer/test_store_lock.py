import os
from pathlib import Path

import pytest

from inferometer import store_lock
from inferometer.errors import ConfigurationError, UnreachableError


def test_an_owned_directory_names_its_owner_and_both_ways_out(tmp_path: Path) -> None:
    with store_lock.own(tmp_path, "http://127.0.0.1:8300", "1"):
        for attempt in (lambda: store_lock.refuse_owned(tmp_path), lambda: store_lock.own(tmp_path, "", "1")):
            with pytest.raises(ConfigurationError) as caught:
                attempt()

            assert f"owned by process {os.getpid()} since 20" in str(caught.value)
            assert "use it with store.url=http://127.0.0.1:8300, or choose another directory with --data" in str(
                caught.value
            )
            assert 2 == caught.value.exit_code
    store_lock.refuse_owned(tmp_path)
    store_lock.own(tmp_path, "", "1").close()


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"pid": "x"}', " " * store_lock.LOCK_BYTES_MAX + "{}"])
def test_an_owner_that_has_not_said_who_it_is(tmp_path: Path, text: str) -> None:
    with store_lock.own(tmp_path, "", "1"):
        (tmp_path / store_lock.LOCK_NAME).write_text(text)

        with pytest.raises(ConfigurationError, match=r"process unknown; stop it, or"):
            store_lock.refuse_owned(tmp_path)


def test_looking_writes_nothing(tmp_path: Path) -> None:
    missing = tmp_path / "a" / "b"

    store_lock.refuse_owned(missing)
    store_lock.refuse_unwritable(missing)

    assert [] == list(tmp_path.iterdir())


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    store_lock.refuse_owned(tmp_path / "file")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UnreachableError, match="cannot write in"):
            store_lock.refuse_unwritable(path)
    with pytest.raises(UnreachableError, match="Not a directory"):
        store_lock.own(tmp_path / "file", "", "1")
