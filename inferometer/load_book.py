"""Knows the book of baselines: reads their last states, and adds one; refuses to decide about any.

The truth is a file below the data directory, `runs/baselines.jsonl`, one state a line, to which lines are only added.
Each state also goes to the store by the spool, so that other machines know it; where a store answers, its states and
those of the file are read together, and the later one of a baseline holds.

Source: spec/store.md 3 (baselines: states are added, the last one holds).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from inferometer import data_directory, load_files, load_ship
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.reading import source
from telemetry.load_records import ActRow, BaselineState
from telemetry.queries.baseline_states import baseline_book

FILE = "baselines.jsonl"
BOOK_BYTES_MAX = 256 << 20
"""Longest book that is read; a state takes a few kilobytes."""
_HASH_CHARACTERS = 8
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What is known of baselines.

    Attributes:
        states: The last state of each, by name.
        source: Where that stands, in words.
    """

    states: tuple[State, ...]
    source: str


def book(config: Config, names: Sequence[str] = ()) -> Book:
    """Return the last state of each baseline.

    Args:
        config: Says where file and store are.
        names: Only these; none means all.

    Raises:
        InferometerError: The file cannot be read, or a store that answers refuses.
    """
    path = _path(config)
    own = [state for state in _written(path) if not names or state.baseline_id in names]
    try:
        store = source(config)
        shared = [_state(row) for row in store.rows(baseline_book(tuple(names)))]
    except UnreachableError as error:
        return Book(states=_last(own), source=f"{path} only: {error}")
    return Book(states=_last([*shared, *own]), source=f"the store {store.url} and {path}")


def add(config: Config, state: State, act: ActRow | None = None) -> None:
    """Add a state to the file, and to the store by the spool, with the act that made it.

    Raises:
        InferometerError: The disk takes no more.
    """
    load_files.add_line(_path(config), BOOK_BYTES_MAX, lambda _: msgspec.json.encode(state) + b"\n")
    name = sha256(state.baseline_id.encode()).hexdigest()[:_HASH_CHARACTERS]
    load_ship.keep(config, f"baseline-{name}-{state.last_unix_ms}", [_record(state), *([act] if act else [])])


def _path(config: Config) -> Path:
    return data_directory.resolve(config.data).root / "runs" / FILE


def _written(path: Path) -> list[State]:
    try:
        with path.open("rb") as file:
            data = file.read(BOOK_BYTES_MAX + 1)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    if len(data) > BOOK_BYTES_MAX:
        raise ConfigurationError(f"{path}: longer than {BOOK_BYTES_MAX} bytes")
    return [_read(path, number, line) for number, line in enumerate(load_files.whole_lines(data).splitlines(), 1)]


def _read(path: Path, number: int, line: bytes) -> State:
    try:
        return msgspec.json.decode(line, type=State)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path}:{number}: not a state of a baseline: {error}") from None


def _last(states: Iterable[State]) -> tuple[State, ...]:
    """Return the later one of two states of a baseline, which began when the earlier one did."""
    last: dict[str, State] = {}
    for state in states:
        before = last.get(state.baseline_id, state)
        newer = max(before, state, key=lambda one: one.last_unix_ms)
        first_ms = min(before.first_unix_ms, state.first_unix_ms)
        last[state.baseline_id] = msgspec.structs.replace(newer, first_unix_ms=first_ms)
    return tuple(last[name] for name in sorted(last))


def _record(state: State) -> BaselineState:
    return BaselineState(
        baseline_id=state.baseline_id,
        key_json=state.key_json,
        run_ids=state.run_ids,
        created_at=state.last_unix_ms,
        valid_until=state.valid_until_unix_ms,
        ttft_h=state.ttft_h,
        tpot_h=state.tpot_h,
        e2e_h=state.e2e_h,
        goodput_per_s=state.goodput_per_s,
        tokens_out_per_s=state.tokens_out_per_s,
        active=int(state.active),
        reason=state.reason,
        actor=state.actor,
    )


def _state(row: Mapping[str, Any]) -> State:
    return msgspec.convert(dict(row) | {"active": bool(row["active"])}, State)
