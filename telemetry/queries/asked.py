"""Knows how people narrow a question down: a window, dimensions, filters, a step; refuses to know what is asked.

Dimensions, metrics and tables are closed sets, so every name that enters a text is one of ours; the values of a filter
are parameters.

Source: spec/store.md 4.1 (dims), 13 (values only as parameters); spec/measurement.md 6 (metrics).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it is made of what is here
    from telemetry.queries.about import About

FILTER_VALUES_MAX = 1_000
"""Values that one dimension may be filtered by."""
STEP_S_MAX = 86_400
"""Longest step of a series."""
ENDED_WITHIN = (
    "ended_at >= fromUnixTimestamp64Milli({since:Int64})",
    "ended_at < fromUnixTimestamp64Milli({until:Int64})",
    # The sorting key holds the minute: without this a whole day's marks are read (EXPLAIN indexes = 1, chDB 26.9).
    "toStartOfMinute(ended_at) >= toStartOfMinute(fromUnixTimestamp64Milli({since:Int64}))",
    "toStartOfMinute(ended_at) <= toStartOfMinute(fromUnixTimestamp64Milli({until:Int64}))",
)
"""Requests that ended in the window."""


class Dim(StrEnum):
    """What rows may be grouped and filtered by; the roll-ups have the first six."""

    ENDPOINT = "endpoint"
    MODEL = "model"
    REGION = "region"
    WORKLOAD_CLASS = "workload_class"
    VARIANT = "variant"
    TRAFFIC = "traffic"
    REPLICA = "replica"
    TENANT = "tenant"
    API = "api"
    RUN_ID = "run_id"
    TTFT_SOURCE = "ttft_source"
    TTFT_QUALITY = "ttft_quality"
    PROMPT_LENGTH = "prompt_length"
    OUTPUT_LENGTH = "output_length"


ROLLED_DIMS = frozenset(
    {Dim.ENDPOINT, Dim.MODEL, Dim.REGION, Dim.WORKLOAD_CLASS, Dim.VARIANT, Dim.TRAFFIC},
)
"""Dimensions that roll-ups keep; the others are known of raw rows only."""
EXPRESSIONS: Mapping[Dim, str] = {dim: dim.value for dim in Dim} | {
    Dim.PROMPT_LENGTH: "if(isNull(tokens_in), '', toString(roundToExp2(assumeNotNull(tokens_in))))",
    Dim.OUTPUT_LENGTH: "if(isNull(tokens_out), '', toString(roundToExp2(assumeNotNull(tokens_out))))",
}
"""SQL of each dimension. A length is a band, named by its lower end: `512` holds 512 to 1023 tokens."""


class Metric(StrEnum):
    """Durations that are kept as `<metric>_us` and, in roll-ups, as `<metric>_h`."""

    TTFT = "ttft"
    TTFO = "ttfo"
    E2E = "e2e"
    TPOT = "tpot"
    ICL_MAX = "icl_max"
    SRV_QUEUE = "srv_queue"


class Source(StrEnum):
    """Tables that hold requests, finest first."""

    RAW = "requests"
    R_1S = "r_1s"
    R_1M = "r_1m"
    R_1H = "r_1h"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which rows, and how they are grouped.

    Attributes:
        since_ms: Start of the window, unix milliseconds, included; a row belongs to it by `ended_at`.
        until_ms: End of the window, excluded.
        by: Dimensions of a group; none means everything in one.
        where: Values that a dimension may have, by dimension.
        traffic: `user`, `probe` or `loadtest`; never mixed, unless `by` or `where` names the dimension.
        step_s: Length of one step of a series, which begins at a multiple of it; None for the whole window.
        about: The objective or the alert that is meant; None for whatever the filters leave.
    """

    since_ms: int
    until_ms: int
    by: tuple[Dim, ...] = ()
    where: Mapping[Dim, tuple[str, ...]] = field(default_factory=dict[Dim, tuple[str, ...]])
    traffic: str = "user"
    step_s: int | None = None
    about: "About | None" = None

    def __post_init__(self) -> None:
        """Refuse what has no bound.

        Raises:
            ValueError: The window is empty, a filter has too many values, or a step is no step.
        """
        if not 0 <= self.since_ms < self.until_ms:
            raise ValueError(f"a window from {self.since_ms} to {self.until_ms} is none")
        if self.step_s is not None and not 0 < self.step_s <= STEP_S_MAX:
            raise ValueError(f"a step of {self.step_s} s; allowed are 1 to {STEP_S_MAX}")
        for dim, values in self.where.items():
            if len(values) > FILTER_VALUES_MAX:
                raise ValueError(f"{len(values)} values of {dim}; allowed are {FILTER_VALUES_MAX}")

    @property
    def dims(self) -> frozenset[Dim]:
        """Dimensions that the table must have."""
        return frozenset(self.by) | frozenset(self.where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """The table that answers.

    Attributes:
        source: The table.
        exact: Whether percentiles are taken over the raw values; else from histograms, within 4.43 %.
        since_ms: Start of the window that is answered; a roll-up's window may only begin with one of its steps.
        until_ms: End of that window.
    """

    source: Source
    exact: bool
    since_ms: int
    until_ms: int


def table(pick: Pick) -> str:
    """Return what to read from. A roll-up's columns are asked for as `s.x`, since an alias `x` would shadow them."""
    return f"inferometer.{pick.source.value} AS s"


def keys(asked: Asked, pick: Pick) -> list[str]:
    """Return the columns that name a group: `t_unix_s` of a series, then the dimensions."""
    dims = [dim.value if dim in ROLLED_DIMS else f"{EXPRESSIONS[dim]} AS {dim.value}" for dim in asked.by]
    if asked.step_s is None:
        return dims
    seconds = "toUnixTimestamp(ended_at)" if pick.source is Source.RAW else "toUnixTimestamp(t)"
    return [f"intDiv({seconds}, {{step_s:UInt32}}) * {{step_s:UInt32}} AS t_unix_s", *dims]


def key_names(asked: Asked) -> list[str]:
    """Return the names of the columns of `keys`."""
    return [*(["t_unix_s"] if asked.step_s is not None else []), *(dim.value for dim in asked.by)]


def conditions(asked: Asked, pick: Pick) -> list[str]:
    """Return which rows belong to the question."""
    found = [*(ENDED_WITHIN if pick.source is Source.RAW else _WITHIN)]
    if Dim.TRAFFIC not in asked.dims:
        found.append("traffic = {traffic:String}")
    return found + [f"{EXPRESSIONS[dim]} IN {{where_{dim.value}:Array(String)}}" for dim in _filtered(asked)]


def parameters(asked: Asked, pick: Pick) -> dict[str, object]:
    """Return the values of `keys` and `conditions`."""
    found: dict[str, object] = {"since": pick.since_ms, "until": pick.until_ms}
    if Dim.TRAFFIC not in asked.dims:
        found["traffic"] = asked.traffic
    if asked.step_s is not None:
        found["step_s"] = asked.step_s
    return found | {f"where_{dim.value}": list(asked.where[dim]) for dim in _filtered(asked)}


def provenance(pick: Pick) -> list[str]:
    """Return the columns that say where an answer comes from."""
    method = "exact" if pick.exact else "bucketed"
    return [f"'{pick.source.value}' AS table_used", f"'{method}' AS method"]


_WITHIN = ("t >= fromUnixTimestamp64Milli({since:Int64})", "t < fromUnixTimestamp64Milli({until:Int64})")


def _filtered(asked: Asked) -> list[Dim]:
    return [dim for dim in Dim if dim in asked.where]
