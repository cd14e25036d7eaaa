"""Knows how recorded traffic is written by those who publish it; refuses to know files, and what is made of the rows.

    Azure     CSV: TIMESTAMP, ContextTokens, GeneratedTokens; stamps have up to nine fractional digits
    Mooncake  JSON lines: timestamp in ms, input_length, output_length, hash_ids of 512-token blocks
    vidur     CSV: arrived_at in s, num_prefill_tokens, num_decode_tokens
    BurstGPT  CSV: Timestamp in s, Model, Request tokens, Response tokens, Total tokens, Log Type
    store     JSON lines of our own: t_ns, workload_class, tokens_in, tokens_out, left_after_us, conversation

Rows without a token in or out are failures of the recorded service: they are dropped and counted.

Source: spec/loadtest.md 10.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from loadtest.errors import TraceError
from loadtest.plan_spec import TOKENS_MAX, TraceFormat
from loadtest.prompts import BLOCK_TOKENS

ROWS_MAX = 20_000_000
"""Most rows of a trace."""
T_NS_MAX = 1 << 61
"""Latest time of a row, either side of 0: differences of two stay within 64 bits."""
BLOCK_ID_MAX = (1 << 53) - 1
"""Largest block id: what every JSON reader keeps, and copies of a trace still fit 64 bits."""
LEFT_US_MAX = 10**15
"""Longest patience, 30 years."""

_STAMP = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:\+00:00)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS, _NS_DIGITS = 1_000_000_000, 9
_MS_NS = 1_000_000
_AZURE = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]
_VIDUR = ["arrived_at", "num_prefill_tokens", "num_decode_tokens"]
_BURSTGPT = ["Timestamp", "Request tokens", "Response tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRow:
    """One recorded request.

    Attributes:
        t_ns: When it arrived, nanoseconds on the trace's own clock.
        len_in: Tokens of the prompt; None if not recorded.
        len_out: Tokens of the answer; None if not recorded.
        workload_class: Its class; None if not recorded.
        blocks: Ids of its blocks of 512 tokens; empty if not recorded.
        left_after_us: The user left after this time without a token; None if not.
        conversation: What it belongs with; None if not recorded.
    """

    t_ns: int
    len_in: int | None
    len_out: int | None
    workload_class: str | None = None
    blocks: tuple[int, ...] = ()
    left_after_us: int | None = None
    conversation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A trace as read.

    Attributes:
        rows: Oldest first; the first at 0 where the trace has rows of its own.
        dropped: Rows that cannot be replayed, by reason.
    """

    rows: tuple[TraceRow, ...]
    dropped: dict[str, int] = field(default_factory=dict[str, int])


def read(kind: TraceFormat, lines: Iterable[str]) -> Trace:
    """Read the rows of a trace.

    Args:
        kind: Its format; ServeGen's files hold rates instead of rows (`loadtest.servegen`).
        lines: Of the file; line ends may be LF or CRLF.

    Raises:
        TraceError: A line is not what the format says, or there is none.
    """
    rows: list[TraceRow] = []
    empty = 0
    for row in _READERS[kind](lines):
        if not -T_NS_MAX <= row.t_ns <= T_NS_MAX:
            raise TraceError(f"found a time of {row.t_ns:.3g} ns, allowed up to {T_NS_MAX:.3g}")
        if row.len_in == 0 or row.len_out == 0:
            empty += 1
        else:
            rows.append(row)
        if len(rows) > ROWS_MAX:
            raise TraceError(f"found more than {ROWS_MAX} rows, allowed {ROWS_MAX}")
    if not rows:
        raise TraceError("found no row with tokens in and out, allowed: one or more")
    return Trace(rows=_from_zero(rows), dropped={"no tokens": empty} if empty else {})


def cells(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Return the cells of each line of a CSV file, with its number.

    Raises:
        TraceError: It is none.
    """
    reader = csv.reader(lines)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise TraceError(str(error), reader.line_num) from error


def of_store(answer: Iterable[Mapping[str, object]]) -> Iterator[TraceRow]:
    """Return what the store answered to `telemetry.queries.replayed`, on the wall clock's time.

    Raises:
        TraceError: A row is not what the question asks for.
    """
    for at, found in enumerate(answer, 1):
        try:
            row = msgspec.convert(found, _StoreAnswer)
        except msgspec.ValidationError as error:
            raise TraceError(str(error), at) from error
        yield TraceRow(
            t_ns=row.t_unix_us * 1000,
            len_in=row.tokens_in,
            len_out=row.tokens_out,
            workload_class=row.workload_class or None,
            left_after_us=row.left_after_us,
            conversation=row.conversation,
        )


def store_line(row: TraceRow) -> bytes:
    """Return a row in our own format, its line end included; block ids are left out."""
    return (
        msgspec.json.encode(
            _StoreLine(
                t_ns=row.t_ns,
                workload_class=row.workload_class,
                tokens_in=row.len_in,
                tokens_out=row.len_out,
                left_after_us=row.left_after_us,
                conversation=row.conversation,
            )
        )
        + b"\n"
    )


def _from_zero(rows: Iterable[TraceRow]) -> tuple[TraceRow, ...]:
    """Return the rows, oldest first, the first of them at 0."""
    ordered = sorted(rows, key=lambda row: row.t_ns)
    first_ns = ordered[0].t_ns if ordered else 0
    return tuple(_moved(row, -first_ns) for row in ordered) if first_ns else tuple(ordered)


def _moved(row: TraceRow, by_ns: int) -> TraceRow:
    return TraceRow(
        t_ns=row.t_ns + by_ns,
        len_in=row.len_in,
        len_out=row.len_out,
        workload_class=row.workload_class,
        blocks=row.blocks,
        left_after_us=row.left_after_us,
        conversation=row.conversation,
    )


def _azure(lines: Iterable[str]) -> Iterable[TraceRow]:
    for at, (stamp, tokens_in, tokens_out) in _table(lines, _AZURE):
        yield TraceRow(t_ns=_unix_ns(stamp, at), len_in=_tokens(tokens_in, at), len_out=_tokens(tokens_out, at))


def _burstgpt(lines: Iterable[str]) -> Iterable[TraceRow]:
    for at, (seconds, tokens_in, tokens_out) in _table(lines, _BURSTGPT):
        yield TraceRow(t_ns=_seconds_ns(seconds, at), len_in=_tokens(tokens_in, at), len_out=_tokens(tokens_out, at))


def _vidur(lines: Iterable[str]) -> Iterable[TraceRow]:
    for at, (seconds, tokens_in, tokens_out) in _table(lines, _VIDUR):
        yield TraceRow(t_ns=_seconds_ns(seconds, at), len_in=_tokens(tokens_in, at), len_out=_tokens(tokens_out, at))


def _table(lines: Iterable[str], columns: list[str]) -> Iterable[tuple[int, list[str]]]:
    """Return the named columns of each line below a header, with the line's number."""
    numbered = cells(lines)
    _, header = next(numbered, (1, list[str]()))
    if any(column not in header for column in columns):
        raise TraceError(f"found columns {', '.join(header)[:200]}, allowed: {', '.join(columns)}", 1)
    places = [header.index(column) for column in columns]
    for at, row in numbered:
        if len(row) != len(header):
            raise TraceError(f"found {len(row)} cells, allowed {len(header)}", at)
        yield at, [row[place] for place in places]


def _unix_ns(stamp: str, at: int) -> int:
    """Read `2023-11-16 18:17:03.9799600`; a time zone other than UTC is refused."""
    found = _STAMP.fullmatch(stamp)
    head, fraction = found.groups("0") if found else ("", "")
    try:
        whole = datetime.fromisoformat(head).replace(tzinfo=UTC) - _EPOCH
    except ValueError as error:
        raise TraceError(f"found time {stamp[:60]!r}, allowed: 2023-11-16 18:17:03.9799600", at) from error
    return int(whole.total_seconds()) * _NS + int(fraction.ljust(_NS_DIGITS, "0"))


def _seconds_ns(seconds: str, at: int) -> int:
    try:
        return round(float(seconds) * _NS)
    except (ValueError, OverflowError) as error:
        raise TraceError(f"found time {seconds[:60]!r}, allowed: seconds", at) from error


def _tokens(cell: str, at: int) -> int:
    if not (cell.isascii() and cell.isdigit() and int(cell[:20]) <= TOKENS_MAX):
        raise TraceError(f"found {cell[:60]!r} tokens, allowed 0 to {TOKENS_MAX}", at)
    return int(cell)


_Block = Annotated[int, Meta(ge=0, le=BLOCK_ID_MAX)]
_Left = Annotated[int, Meta(ge=0, le=LEFT_US_MAX)]


class _MooncakeLine(Struct):
    timestamp: Annotated[float, Meta(ge=-1e15, le=1e15)]
    input_length: int
    output_length: int
    hash_ids: tuple[_Block, ...]


class _StoreAnswer(Struct):
    t_unix_us: int
    workload_class: str
    tokens_in: int | None
    tokens_out: int | None
    left_after_us: _Left | None
    conversation: int | None


class _StoreLine(Struct, omit_defaults=True, forbid_unknown_fields=True):
    t_ns: int
    workload_class: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    left_after_us: _Left | None = None
    conversation: int | None = None


_Line = TypeVar("_Line", bound=Struct)


def _mooncake(lines: Iterable[str]) -> Iterable[TraceRow]:
    for at, line in _objects(lines, _MooncakeLine):
        if len(line.hash_ids) != -(-line.input_length // BLOCK_TOKENS):
            raise TraceError(f"found {len(line.hash_ids)} blocks of {line.input_length} tokens: not of 512 each", at)
        yield TraceRow(
            t_ns=round(line.timestamp * _MS_NS),
            len_in=_within(line.input_length, at),
            len_out=_within(line.output_length, at),
            blocks=line.hash_ids,
        )


def _store(lines: Iterable[str]) -> Iterable[TraceRow]:
    for at, line in _objects(lines, _StoreLine):
        yield TraceRow(
            t_ns=line.t_ns,
            len_in=_within(line.tokens_in, at),
            len_out=_within(line.tokens_out, at),
            workload_class=line.workload_class,
            left_after_us=line.left_after_us,
            conversation=line.conversation,
        )


def _objects(lines: Iterable[str], kind: type[_Line]) -> Iterable[tuple[int, _Line]]:
    decoder = msgspec.json.Decoder(kind)
    for at, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield at, decoder.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise TraceError(str(error), at) from error


def _within(tokens: int | None, at: int) -> int | None:
    if tokens is not None and not 0 <= tokens <= TOKENS_MAX:
        raise TraceError(f"found {tokens} tokens, allowed 0 to {TOKENS_MAX}", at)
    return tokens


_READERS: dict[TraceFormat, Callable[[Iterable[str]], Iterable[TraceRow]]] = {
    TraceFormat.AZURE: _azure,
    TraceFormat.MOONCAKE: _mooncake,
    TraceFormat.BURSTGPT: _burstgpt,
    TraceFormat.VIDUR: _vidur,
    TraceFormat.STORE: _store,
}
