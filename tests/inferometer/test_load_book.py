"""States of baselines in their file, and on a real store that is found by the lock of its data directory."""

from pathlib import Path

import msgspec
import pytest

from inferometer import load_book
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError, InferometerError
from inferometer.load_book import State, add, book
from telemetry.testing.store_process import StoreProcess

STATE = State(
    baseline_id="book",
    key_json='{"model":"m"}',
    run_ids=("r1", "r2"),
    first_unix_ms=1_700_000_000_000,
    last_unix_ms=1_700_000_000_000,
    valid_until_unix_ms=1_800_000_000_000,
    ttft_h={-3: 2, 40: 7},
    tpot_h={},
    e2e_h={5: 1},
    goodput_per_s=2.5,
    tokens_out_per_s=None,
    active=False,
    reason="",
    actor="me",
)


def test_the_last_state_holds_and_the_first_is_remembered(process: StoreProcess, tmp_path: Path) -> None:
    config = Config(data=str(process.data))
    assert () == book(config, ["book"]).states
    add(config, STATE)
    later = msgspec.structs.replace(STATE, last_unix_ms=1_700_000_000_001, active=True, reason="it's \\ 'fast'")
    add(config, later)
    add(config, later)  # a state that is told twice is one
    elsewhere = {"data": str(tmp_path), "store": {"url": process.url, "user": "reader"}}
    elsewhere["store"] |= {"password": process.secret("reader")}  # type: ignore[operator]  # a mapping

    for found in (book(config, ["book"]), book(Config.model_validate(elsewhere), ["book"])):
        assert (later,) == found.states
        assert found.source.startswith(f"the store {process.url} and ")
    assert later in book(config).states


def test_without_a_store_the_file_is_the_book(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = Config(data=str(tmp_path))
    assert () == book(config).states
    add(config, STATE)
    add(config, msgspec.structs.replace(STATE, baseline_id="another"))

    assert "not in the store yet: no store runs" in capsys.readouterr().err
    found = book(config)
    assert ["another", "book"] == [state.baseline_id for state in found.states]
    assert found.source.startswith(f"{tmp_path / 'runs' / load_book.FILE} only: no store runs")
    assert (STATE,) == book(config, ["book"]).states


def test_what_is_no_book_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "runs" / load_book.FILE
    path.parent.mkdir()
    path.write_bytes(msgspec.json.encode(STATE) + b"\n{}\n")
    with pytest.raises(ConfigurationError, match=r"baselines\.jsonl:2: not a state"):
        book(Config(data=str(tmp_path)))

    monkeypatch.setattr(load_book, "BOOK_BYTES_MAX", path.stat().st_size - 1)
    with pytest.raises(ConfigurationError, match="longer than"):
        book(Config(data=str(tmp_path)))
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigurationError, match="Is a directory"):
        book(Config(data=str(tmp_path)))
    with pytest.raises(InferometerError, match="Is a directory"):
        add(Config(data=str(tmp_path)), STATE)


def test_a_line_that_was_cut_off_is_passed_over_and_the_next_state_takes_its_place(tmp_path: Path) -> None:
    path, config = tmp_path / "runs" / load_book.FILE, Config(data=str(tmp_path))
    add(config, STATE)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:30])
    assert (STATE,) == book(config).states
    add(config, msgspec.structs.replace(STATE, baseline_id="another"))

    assert ["another", "book"] == [state.baseline_id for state in book(config).states]
    assert path.read_bytes().startswith(whole)
