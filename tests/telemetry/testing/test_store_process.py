from pathlib import Path

import pytest

from telemetry.testing.store_process import StoreProcess


def test_it_is_ready_when_the_constructor_returns_and_ends_with_code_0(tmp_path: Path) -> None:
    with StoreProcess(tmp_path / "data") as process:
        process.store("reader").ping()

        assert process.url == f"http://127.0.0.1:{process.port}"
        # Idle RSS: spec/store.md 14 allows 700 MiB; chDB 26.9 with its handles took 322 when measured.
        assert 0 < process.rss_mib < 700
        assert process.end() == 0


def test_a_store_that_refuses_to_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    with pytest.raises(RuntimeError, match="cannot write in"):
        StoreProcess(tmp_path / "data")
