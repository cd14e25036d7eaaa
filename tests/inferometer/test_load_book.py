"""States of baselines on a real store, found by the lock of its data directory."""

import msgspec
import pytest

from inferometer.config_schema import Config
from inferometer.errors import UnreachableError
from inferometer.load_book import State, add, states
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


def test_the_last_state_holds_and_the_first_is_remembered(process: StoreProcess) -> None:
    config = Config(data=str(process.data))
    assert [] == states(config, ["book"])
    add(config, STATE)
    assert [STATE] == states(config, ["book"])

    later = msgspec.structs.replace(STATE, last_unix_ms=1_700_000_000_001, active=True, reason="it's \\ 'fast'")
    add(config, later)
    add(config, later)  # an insert that is sent again changes nothing
    assert [later] == states(config, ["book"])
    assert later in states(config)


def test_a_store_that_is_named_is_written_to_as_the_configured_user(process: StoreProcess) -> None:
    keys = {"url": process.url, "user": "writer", "password": process.secret("writer")}
    add(Config.model_validate({"store": keys}), msgspec.structs.replace(STATE, baseline_id="by url"))

    assert ["by url"] == [one.baseline_id for one in states(Config(data=str(process.data)), ["by url"])]


def test_without_a_store_nothing_is_written(tmp_path: object) -> None:
    with pytest.raises(UnreachableError, match="no store runs"):
        add(Config(data=str(tmp_path)), STATE)
