"""Knows the book of baselines in the store: reads its last states, and adds one; refuses to decide about any.

A store of our own knows a writer; another one is written to as the configured user.

Source: spec/store.md 3 (baselines: states are added, the last one holds), 8.4 (users).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from inferometer import data_directory, store_secrets
from inferometer.config_schema import Config
from inferometer.errors import UnreachableError
from inferometer.reading import access, source, told
from telemetry.errors import StoreError
from telemetry.queries.baseline_states import baseline_book
from telemetry.schema.loads import BASELINES
from telemetry.schema.parts import Table
from telemetry.store import Store

Histogram = dict[int, int]


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A state of a baseline; described at the columns of the table."""

    baseline_id: str
    key_json: str
    run_ids: tuple[str, ...]
    first_unix_ms: int
    last_unix_ms: int
    valid_until_unix_ms: int
    ttft_h: Histogram
    tpot_h: Histogram
    e2e_h: Histogram
    goodput_per_s: float | None
    tokens_out_per_s: float | None
    active: bool
    reason: str
    actor: str


def states(config: Config, names: Sequence[str] = ()) -> list[State]:
    """Return the last state of each baseline, by name.

    Raises:
        InferometerError: The store does not answer or refuses.
    """
    return [_state(row) for row in source(config).rows(baseline_book(tuple(names)))]


def add(config: Config, state: State) -> None:
    """Add a state.

    Raises:
        InferometerError: The store does not answer or refuses.
    """
    values = msgspec.structs.asdict(state) | {
        "run_ids": list(state.run_ids),
        "created_at": state.last_unix_ms,
        "valid_until": state.valid_until_unix_ms,
        "active": int(state.active),
        "retired_reason": "",
    }
    add_row(config, BASELINES, values, f"baseline-{state.baseline_id}-{state.last_unix_ms}")


def add_row(config: Config, table: Table, values: Mapping[str, object], token: str) -> None:
    """Insert one row.

    Args:
        config: Says where the store is.
        table: One of those of load tests.
        values: At least those of its columns.
        token: Says that two inserts are one.

    Raises:
        InferometerError: The store does not answer or refuses.
    """
    how = access(config)
    user, password = how.user, how.password
    if config.store.url is None:
        path = store_secrets.secret_path(data_directory.resolve(config.data).root, "writer")
        try:
            user, password = "writer", store_secrets.read_secret(path)
        except OSError as error:
            raise UnreachableError(f"{path}: cannot be read: {error.strerror}") from None
    store = Store(how.url, user=user, password=password)
    try:
        store.insert_rows(table, [tuple(values[column.name] for column in table.insert_columns)], token)
    except StoreError as error:
        raise told(error, how.url) from None
    finally:
        store.close()


def _state(row: Mapping[str, Any]) -> State:
    return msgspec.convert(dict(row) | {"active": bool(row["active"])}, State)
