"""Knows what a stored request tells of each figure, cut short or not; refuses to know what is asked of a figure.

A request that ended well has its figures, or they are unknown. One that failed or was left says less: a figure then
lies between two bounds, `<figure>_lo` and `<figure>_hi`, which are equal where it was observed after all.

| figure | request failed | client left |
|---|---|---|
| ttft, ttfo | observed; without output never, so infinite | observed; without output at least as long as it waited |
| e2e, elapsed | e2e infinite, elapsed known | at least as long as it lasted |
| tpot, icl_p99 | observed from 16 output tokens on, else anything | the same |
| gap_max, icl_max, stall | observed with output, else anything | at least what was seen |
| tokens_out | as counted | at least as counted |
| tokens_in | as told, else no more than the bytes of a request that was sent | the same |
| what the engine says | as told, else anything | the same |

Source: spec/measurement.md 10 (the table); spec/slo.md 1 (names), 3 (censoring).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

MOST_TOKENS = 4_294_967_295
"""Largest count that a column holds: the upper bound of an unknown one."""
TPOT_TOKENS_MIN = 16
"""Output tokens from which on the time per token of an unfinished request says something."""
GOOD, BAD, EXCLUDED, CENSORED = 1, 2, 3, 4
"""Numbers of the column `eligible`, which a request's class and its verdict have too."""


class Figure(StrEnum):
    """Numbers of a request, seconds where the name says so."""

    TTFT_S = "ttft_s"
    TTFO_S = "ttfo_s"
    E2E_S = "e2e_s"
    ELAPSED_S = "elapsed_s"
    TPOT_S = "tpot_s"
    ICL_P99_S = "icl_p99_s"
    ICL_MAX_S = "icl_max_s"
    STALL_S = "stall_s"
    GAP_MAX_S = "gap_max_s"
    SRV_QUEUE_S = "srv_queue_s"
    SRV_PREFILL_S = "srv_prefill_s"
    TOKENS_IN = "tokens_in"
    TOKENS_OUT = "tokens_out"
    TOKENS_CACHE_READ = "tokens_cache_read"
    HTTP_STATUS = "http_status"


class Word(StrEnum):
    """Texts of a request: what happened, and the dimensions by which requests are told apart."""

    OUTCOME = "outcome"
    PHASE = "phase"
    ORIGIN = "origin"
    FINISH_REASON = "finish_reason"
    ENDPOINT = "endpoint"
    MODEL = "model"
    REGION = "region"
    WORKLOAD_CLASS = "workload_class"
    VARIANT = "variant"
    REPLICA = "replica"
    TENANT = "tenant"
    API = "api"


class Flag(StrEnum):
    """What a request is or is not."""

    STREAM = "stream"
    IN_STREAM = "in_stream"


class _Cut(StrEnum):
    """What an ending too early does to a figure."""

    FIRST = "first"
    END = "end"
    AGE = "age"
    PACE = "pace"
    WIDEST = "widest"
    COUNT = "count"
    PROMPT = "prompt"
    TOLD = "told"
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class _Stored:
    """Where a figure is stored: its column, what it is in SQL, what an early end does to it, its upper bound."""

    column: str
    sql: str
    cut: _Cut
    most: str = "inf"


def _seconds(column: str) -> str:
    return f"toFloat64({column}) / 1e6"


def _duration(column: str, cut: _Cut) -> _Stored:
    return _Stored(column, _seconds(column), cut)


def _count(column: str, cut: _Cut) -> _Stored:
    return _Stored(column, f"toFloat64({column})", cut, str(MOST_TOKENS))


_WIDEST_US = "nullIf(greatest(ifNull(icl_max_us, 0), ifNull(open_gap_us, 0)), 0)"
_STORED: Mapping[Figure, _Stored] = {
    Figure.TTFT_S: _duration("ttft_us", _Cut.FIRST),
    Figure.TTFO_S: _duration("ttfo_us", _Cut.FIRST),
    Figure.E2E_S: _duration("e2e_us", _Cut.END),
    Figure.ELAPSED_S: _duration("elapsed_us", _Cut.AGE),
    Figure.TPOT_S: _duration("tpot_us", _Cut.PACE),
    Figure.ICL_P99_S: _duration("icl_p99_us", _Cut.PACE),
    Figure.ICL_MAX_S: _duration("icl_max_us", _Cut.WIDEST),
    Figure.STALL_S: _duration("stall_us", _Cut.WIDEST),
    Figure.GAP_MAX_S: _Stored("icl_max_us", _seconds(_WIDEST_US), _Cut.WIDEST),
    Figure.SRV_QUEUE_S: _duration("srv_queue_us", _Cut.TOLD),
    Figure.SRV_PREFILL_S: _duration("srv_prefill_us", _Cut.TOLD),
    Figure.TOKENS_IN: _count("tokens_in", _Cut.PROMPT),
    Figure.TOKENS_OUT: _count("tokens_out", _Cut.COUNT),
    Figure.TOKENS_CACHE_READ: _count("tokens_cache_read", _Cut.TOLD),
    Figure.HTTP_STATUS: _Stored("http_status", "toFloat64(http_status)", _Cut.KNOWN),
}
NEVER_UNKNOWN = frozenset({Figure.ELAPSED_S, Figure.HTTP_STATUS})
"""Figures that every request has."""
UNKNOWN_IS_FINE = frozenset({Figure.TPOT_S, Figure.ICL_P99_S, Figure.ICL_MAX_S, Figure.STALL_S, Figure.GAP_MAX_S})
"""Figures that a good request lacks when it never waited between tokens."""

# A token is at least a byte. Usage comes at the end of an answer, so nobody told the prompt of a request that was left.
PROMPT_MOST = (
    f"toFloat64(if(bytes_in = 0 OR phase = 'connect', {MOST_TOKENS}, least(bytes_in, {MOST_TOKENS}))) AS prompt_most"
)
"""Column that the bounds of `tokens_in` need, beside `class` and `had_output`."""
HAD_OUTPUT = "phase IN ('streaming', 'done')"
_ELAPSED_S = _seconds("elapsed_us")
_RAW, _SEEN, _MOST = "$raw", "$seen", "$most"
_BOUNDS: Mapping[_Cut, tuple[str, str]] = {
    _Cut.FIRST: (
        f"multiIf(class = {BAD}, ifNull($seen, inf), ifNull($seen, if(had_output, 0, {_ELAPSED_S})))",
        "ifNull($seen, inf)",
    ),
    _Cut.END: (f"if(class = {BAD}, inf, {_ELAPSED_S})", "inf"),
    _Cut.AGE: ("$raw", f"if(class = {BAD}, $raw, inf)"),
    _Cut.PACE: (
        f"ifNull(if(ifNull(tokens_out, 0) >= {TPOT_TOKENS_MIN}, $seen, NULL), 0)",
        f"ifNull(if(ifNull(tokens_out, 0) >= {TPOT_TOKENS_MIN}, $seen, NULL), inf)",
    ),
    _Cut.WIDEST: ("ifNull($seen, 0)", f"if(class = {BAD}, ifNull($seen, inf), inf)"),
    _Cut.COUNT: ("ifNull($raw, 0)", f"if(class = {BAD}, ifNull($raw, $most), $most)"),
    _Cut.PROMPT: ("ifNull($raw, 0)", "ifNull($raw, prompt_most)"),
    _Cut.TOLD: ("ifNull($raw, 0)", "ifNull($raw, $most)"),
    _Cut.KNOWN: ("$raw", "$raw"),
}
"""Lower and upper bound of a figure of a request that failed or was left."""


def column(figure: Figure) -> str:
    """Return the column that holds a figure; of `gap_max_s`, which is made of two, the first."""
    return _STORED[figure].column


def raw(figure: Figure) -> str:
    """Return the SQL of a figure as it was stored, named `<figure>_raw`; NULL is unknown."""
    return f"{_STORED[figure].sql} AS {figure.value}_raw"


def bounds(figure: Figure) -> tuple[str, str]:
    """Return the SQL of both bounds, named `<figure>_lo` and `<figure>_hi`, beside `class`, `had_output` and `_raw`.

    Both are what was stored, NULL included, where the class is good.
    """
    stored = _STORED[figure]
    named = f"{figure.value}_raw"
    values = {_RAW: named, _SEEN: f"if(had_output, {named}, NULL)", _MOST: stored.most}
    return (
        _bound(_BOUNDS[stored.cut][0], values, named, f"{figure.value}_lo"),
        _bound(_BOUNDS[stored.cut][1], values, named, f"{figure.value}_hi"),
    )


def _bound(sql: str, values: Mapping[str, str], named: str, alias: str) -> str:
    for mark, value in values.items():
        sql = sql.replace(mark, value)
    return f"if(class = {GOOD}, {named}, {sql}) AS {alias}"
