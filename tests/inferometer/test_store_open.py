"""Directories that a store may not be opened in; those that it may are opened by every other test of the store."""

import os
from pathlib import Path

import pytest

from inferometer import store_open
from inferometer.errors import ConfigurationError, UnreachableError


def test_a_nearly_full_disk_is_no_place_for_a_store(tmp_path: Path) -> None:
    with (
        pytest.raises(UnreachableError, match="MiB are free, 1073741824 are needed"),
        store_open.owned(tmp_path, "", free_bytes_min=store_open.FREE_BYTES_MIN << 20),
    ):
        pytest.fail("it was opened")


def test_one_process_owns_a_directory(tmp_path: Path) -> None:
    with (
        store_open.owned(tmp_path, "http://127.0.0.1:1"),
        pytest.raises(ConfigurationError, match=f"owned by process {os.getpid()} since .*store.url="),
        store_open.owned(tmp_path, ""),
    ):
        pytest.fail("it was owned twice")
    with store_open.owned(tmp_path, ""):
        pass


@pytest.mark.parametrize("letter", ["?", "&"])
def test_a_path_that_the_engine_would_cut_is_refused(tmp_path: Path, letter: str) -> None:
    data = tmp_path / f"a{letter}b"

    with pytest.raises(UnreachableError, match="a path with & or \\? in it is none for the engine"):
        store_open.opened(data)
    assert not (data / "store").exists()
