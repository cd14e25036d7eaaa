"""Knows how requests look from outside: rows, what the bad ones share, one with all its parts; refuses to ask.

Source: spec/ui.md 5 (req.rows, req.detail); telemetry.schema (names, units and meanings of what is stored).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from telemetry.schema import REQUESTS

_US = 1_000_000
_PARTS = (
    ("network", "residual_us", "client and engine"),
    ("tee", "tee_us", "client"),
    ("queue", "srv_queue_us", "engine"),
    ("prefill", "srv_prefill_us", "engine"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestShown:
    """One request in a list; times in seconds, None where they are not known.

    Attributes:
        t: Its end, unix seconds.
        id: Its name.
        endpoint: Where it went.
        model: What it asked for.
        outcome: How it ended.
        phase: How far it had come.
        ttft: Time to the first token.
        tpot: Time per output token.
        icl_max: Largest gap between tokens.
        e2e: Time to the end.
        tokens_in: Prompt tokens.
        tokens_out: Output tokens.
        replica: Who answered.
        trace: W3C trace id, hexadecimal.
    """

    t: int
    id: str
    endpoint: str
    model: str
    outcome: str
    phase: str
    ttft: float | None
    tpot: float | None
    icl_max: float | None
    e2e: float | None
    tokens_in: int | None
    tokens_out: int | None
    replica: str
    trace: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsShown:
    """Requests of a window, newest first.

    Attributes:
        since: Start of the window.
        until: Its end, excluded.
        requests: So many as were asked for.
        after: What to ask with as `after` for the ones that follow; None if there are none.
    """

    since: str
    until: str
    requests: tuple[RequestShown, ...]
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetShown:
    """A value that requests have, and how common it is.

    Attributes:
        facet: What is told apart.
        value: The value.
        n: Requests that have it.
        share_of_all: Their share of all.
        share_of_bad: Share of the bad requests that have it; None if none is bad.
        lift: The difference.
    """

    facet: str
    value: str
    n: int
    share_of_all: float
    share_of_bad: float | None
    lift: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetsShown:
    """What the bad requests of a window share, the largest lift first.

    Attributes:
        since: Start of the window.
        until: Its end, excluded.
        facets: The values.
    """

    since: str
    until: str
    facets: tuple[FacetShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOfRequest:
    """A part of a request's time.

    Attributes:
        name: Which.
        s: How long, seconds.
        clock: Whose clock says so.
    """

    name: str
    s: float
    clock: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What is stored in one column.

    Attributes:
        value: The value; None if it is not known.
        unit: Its unit; empty if it has none.
        meaning: What it says.
    """

    value: str | float | int | list[int] | dict[str, int] | None
    unit: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestWhole:
    """One request with all that is stored of it.

    Attributes:
        id: Its name.
        parts: Parts of its time in their order; those that are known add up to its end-to-end time.
        tokens_by_s: Output tokens in each second from the first on.
        columns: Everything that is stored, by column.
    """

    id: str
    parts: tuple[PartOfRequest, ...]
    tokens_by_s: tuple[int, ...]
    columns: Mapping[str, Stored]


def rows_shown(rows: Sequence[Mapping[str, Any]]) -> tuple[RequestShown, ...]:
    """Return requests as they are listed."""
    return tuple(RequestShown(**row) for row in rows)


def facets_shown(rows: Sequence[Mapping[str, Any]]) -> tuple[FacetShown, ...]:
    """Return what bad requests share."""
    return tuple(FacetShown(**row) for row in rows)


def whole(request_id: UUID, row: Mapping[str, object]) -> RequestWhole:
    """Return one request whole."""
    return RequestWhole(
        id=str(request_id),
        parts=_parts(row),
        tokens_by_s=tuple(cast("Sequence[int]", row["tok_by_s"])),
        columns={
            one.name: Stored(value=_plain(row[one.name]), unit=one.unit, meaning=one.meaning)
            for one in REQUESTS.columns
        },
    )


def cursor(row: RequestShown, ended_ms: int) -> str:
    """Return what says that a list goes on after a row."""
    return f"{ended_ms}.{row.id}"


def read_cursor(text: str) -> tuple[int, UUID]:
    """Return what a cursor says.

    Raises:
        ValueError: It is none.
    """
    ended_ms, _, request_id = text.partition(".")
    if not (ended_ms.isascii() and ended_ms.isdigit()):
        raise ValueError("is no cursor of ours")
    return int(ended_ms[:15]), UUID(request_id)


def _parts(row: Mapping[str, object]) -> tuple[PartOfRequest, ...]:
    found = [(name, _s(row[column]), clock) for name, column, clock in _PARTS]
    e2e, ttft, stall = _s(row["e2e_us"]), _s(row["ttft_us"]), _s(row["stall_us"]) or 0.0
    if e2e is not None and ttft is not None:
        found += [("decode", max(e2e - ttft - stall, 0.0), "client"), ("stall", stall, "client")]
    known = [PartOfRequest(name=name, s=s, clock=clock) for name, s, clock in found if s is not None]
    if e2e is not None:
        known.append(PartOfRequest(name="rest", s=max(e2e - sum(one.s for one in known), 0.0), clock="client"))
    return tuple(known)


def _s(value: object) -> float | None:
    return None if value is None else int(str(value)) / _US


def _plain(value: object) -> str | float | int | list[int] | dict[str, int] | None:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(key): int(str(n)) for key, n in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [int(str(one)) for one in cast("Sequence[object]", value)]
    return value if value is None or isinstance(value, str | float | int) else str(value)
