"""Knows how rows of the store become groups with percentiles, rates and outcomes; refuses to know how they look.

A percentile is a nearest rank: exact from raw rows, within a stated error from a roll-up's histogram. TTFT and E2E are
taken over every eligible request, failures as +infinity (population `all`); TPOT and the largest gap only over
successful ones (`ok_only`), because a request that failed before its output waited for no token. A percentile is
refused below n = 1 / (1 - p): p50 2, p95 20, p99 100. It is marked uncertain below the n that certifies it at 99 %
confidence: p50 11, p95 130, p99 662. If the rank falls on a failure it has no value and says so.

Source: spec/measurement.md 6, 8, 10 and 11; spec/ui.md 4 (reading rules); telemetry.queries.report (the rows).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isinf
from typing import Literal, cast

from telemetry.percentile import P50, P95, P99, certain_from, n_min
from telemetry.queries import PERCENTILES_PPM
from telemetry.schema import REQUESTS

PERCENTILES = {"p50": P50, "p95": P95, "p99": P99}
CERTAIN_FROM = {name: certain_from(ppm) for name, ppm in PERCENTILES.items()}
"""Least n that certifies a percentile at 99 % confidence (spec/measurement.md 11)."""
FAILS = "falls on a failed request"
Population = Literal["all", "ok_only"]
_COLUMNS = {"ttft": "ttft", "tpot": "tpot", "e2e": "e2e", "stall": "icl_max"}
"""Our name of a metric, and its name in the columns of a row."""
_MAIN: dict[str, Population] = {"ttft": "all", "tpot": "ok_only", "e2e": "all", "stall": "ok_only"}
METRICS = tuple(_COLUMNS)
_US = 1_000_000
_DIGITS = 6

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The percentiles of one metric over one population.

    Attributes:
        population: `all` counts failures as +infinity, `ok_only` leaves them out.
        n: Observations, failures included.
        values_s: Seconds by percentile name; None where `refused` says why.
        refused: Why a percentile has no value, by its name.
        max_s: Largest value of a successful request; None without one.
        error_ratio_max: Largest relative error by percentile name, of those that have a value; 0 if it is exact.
    """

    population: Population
    n: int
    values_s: Mapping[str, float | None]
    refused: Mapping[str, str]
    max_s: float | None
    error_ratio_max: Mapping[str, float]

    @property
    def method(self) -> str:
        """`bucketed` if a value stands for its bucket, else `exact`."""
        return "bucketed" if any(self.error_ratio_max.values()) else "exact"

    @property
    def uncertain(self) -> tuple[str, ...]:
        """Percentiles that are shown but not certified by n."""
        return tuple(name for name, value in self.values_s.items() if value is not None and self.n < CERTAIN_FROM[name])

    @property
    def fails(self) -> tuple[str, ...]:
        """Percentiles whose rank falls on a failure."""
        return tuple(name for name, reason in self.refused.items() if reason == FAILS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What is known about one endpoint and model, or about everything.

    Attributes:
        endpoint: Name of the endpoint; None in the global group.
        model: Name of the model; None in the global group.
        n: Requests.
        spreads: Percentiles by metric, in the metric's main population.
        ok_only: Percentiles by metric over successful requests.
        tokens_in: Prompt tokens of these requests, as far as they are known.
        tokens_out: Output tokens of these requests, as far as they are known.
        tokens_in_window: Output tokens that came within the window.
        tokens_unknown_n: Successful requests whose output tokens are unknown.
        seconds: Observed length of the window, over which rates are taken.
        outcomes: Requests by class, most frequent first.
        in_stream: Faults seen inside a 200 answer.
        provenance: Requests by word, for `ttft_source`, `ttft_quality`, `tok_source` and `tok_time_quality`.
    """

    endpoint: str | None
    model: str | None
    n: int
    spreads: Mapping[str, Spread]
    ok_only: Mapping[str, Spread]
    tokens_in: int
    tokens_out: int
    tokens_in_window: int
    tokens_unknown_n: int
    seconds: float
    outcomes: Mapping[str, int]
    in_stream: int
    provenance: Mapping[str, Mapping[str, int]]

    @property
    def is_global(self) -> bool:
        """Whether this is the group of everything."""
        return self.endpoint is None

    @property
    def tokens_in_per_s(self) -> float:
        """Prompt tokens of the requests that ended in the window, per observed second."""
        return self.tokens_in / self.seconds if self.seconds > 0 else 0.0

    @property
    def tokens_out_per_s(self) -> float:
        """Output tokens that came in the window, per observed second."""
        return self.tokens_in_window / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time that is asked about.

    Attributes:
        since_ms: Start, unix milliseconds, included.
        until_ms: End, excluded.
        observing_since_ms: When recording began; None if that is not known.
        table: What was read: raw rows, or a roll-up if they are too many or gone.
    """

    since_ms: int
    until_ms: int
    observing_since_ms: int | None = None
    table: str = REQUESTS.name

    @property
    def is_exact(self) -> bool:
        """Whether the answer is of raw rows."""
        return self.table == REQUESTS.name

    def seconds(self, first_ms: int) -> float:
        """Return the observed length, given the end of the first recorded request (0: none).

        Time in which nobody was recording is no time without tokens, so it does not count.
        """
        starts = [ms for ms in (first_ms, self.observing_since_ms) if ms]
        began = self.since_ms if self.observing_since_ms is None else min(starts)
        return max(0, self.until_ms - max(self.since_ms, began)) / 1000


def groups(
    rows: Iterable[Row], window: Window, *, endpoint: str | None = None, model: str | None = None
) -> list[Group]:
    """Return the groups with requests, endpoints and models in order and the global one last.

    Args:
        rows: Answer to `telemetry.queries.report` or `top`, or `exact_rows` of one to `report_rolled`.
        window: The time asked about.
        endpoint: Keep only this endpoint; then there is no global group, since it tells of all of them.
        model: Keep only this model, likewise.
    """
    listed = list(rows)
    first_ms = min((_int(row, "first_unix_ms") for row in listed if _int(row, "n")), default=0)
    found = [_group(row, window.seconds(first_ms)) for row in listed if _int(row, "n")]
    return [group for group in found if endpoint in (None, group.endpoint) and model in (None, group.model)]


def exact_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the answer to `telemetry.queries.report_rolled` as `report` answers, with the errors beside it.

    What only raw rows know is missing: from where and how well the values were measured.
    """
    found: dict[tuple[object, ...], dict[str, object]] = {}
    for row in rows:
        key = (row["is_global"], row["endpoint"], row["model"])
        group = found.setdefault(key, {**row, **{name: {} for name in _RAW_ONLY}})
        metric = row["metric"]
        group[f"{metric}_n"], group[f"{metric}_all_n"] = row["n_ok_metric"], row["n_all_metric"]
        group[f"{metric}_us_max"] = row["us_max"]
        for stem, population in ((metric, "ok"), (f"{metric}_all", "all")):
            seconds, errors = (_chosen(row[f"{population}_{end}"]) for end in ("s", "error_ratio_max"))
            group[f"{stem}_us"] = [value * _US for value in seconds]
            group[f"{stem}_error_ratio_max"] = errors
    return list(found.values())


def error_ratio_max(found: Iterable[Group]) -> float:
    """Return the largest relative error of any percentile that is shown; 0 if all are exact."""
    spreads = (spread for group in found for spread in (*group.spreads.values(), *group.ok_only.values()))
    return max((error for spread in spreads for error in spread.error_ratio_max.values()), default=0.0)


def document(found: Sequence[Group], window: Window, note: str | None = None) -> dict[str, object]:
    """Return the report as it goes out in JSON.

    Args:
        found: The groups.
        window: The time asked about.
        note: Why there are no groups; None if there are some.
    """
    return {
        "since_unix_ms": window.since_ms,
        "until_unix_ms": window.until_ms,
        "table": window.table,
        "groups": [_group_document(group) for group in found],
        "note": note,
    }


_RAW_ONLY = ("ttft_sources", "ttft_qualities", "tok_sources", "tok_time_qualities")
_PLACES = [PERCENTILES_PPM.index(ppm) for ppm in PERCENTILES.values()]


def _chosen(values: object) -> list[float]:
    """Return the entries of our percentiles; a group without values has a 0, which its n refuses."""
    listed = cast("Sequence[float | None]", values)
    return [listed[place] or 0.0 for place in _PLACES]


def _group(row: Row, seconds: float) -> Group:
    whole = bool(_int(row, "is_global"))
    outcomes = _counts(row, "outcomes")
    return Group(
        endpoint=None if whole else str(row["endpoint"]),
        model=None if whole else str(row["model"]),
        n=_int(row, "n"),
        spreads={metric: _spread(row, metric, _MAIN[metric]) for metric in METRICS},
        ok_only={metric: _spread(row, metric, "ok_only") for metric in METRICS},
        tokens_in=_int(row, "tokens_in"),
        tokens_out=_int(row, "tokens_out"),
        tokens_in_window=_int(row, "tokens_in_window"),
        tokens_unknown_n=_int(row, "n_tok_null"),
        seconds=seconds,
        outcomes=dict(sorted(outcomes.items(), key=lambda pair: (-pair[1], pair[0]))),
        in_stream=_int(row, "n_in_stream"),
        provenance={
            "ttft_source": _counts(row, "ttft_sources"),
            "ttft_quality": _counts(row, "ttft_qualities"),
            "tok_source": _counts(row, "tok_sources"),
            "tok_time_quality": _counts(row, "tok_time_qualities"),
        },
    )


def _spread(row: Row, metric: str, population: Population) -> Spread:
    column = _COLUMNS[metric]
    stem = f"{column}_all" if population == "all" else column
    n = _int(row, f"{stem}_n")
    found = dict(zip(PERCENTILES, cast("Sequence[float]", row[f"{stem}_us"]), strict=True))
    refused = {name: reason for name, us in found.items() if (reason := _refusal(name, us, n))}
    largest = cast("float | None", row[f"{column}_us_max"])
    errors = cast("Sequence[float]", row.get(f"{stem}_error_ratio_max", [0.0] * len(PERCENTILES)))
    return Spread(
        population=population,
        n=n,
        values_s={name: None if name in refused else us / _US for name, us in found.items()},
        refused=refused,
        max_s=largest / _US if largest is not None and _int(row, f"{column}_n") else None,
        error_ratio_max={name: e for name, e in zip(PERCENTILES, errors, strict=True) if name not in refused},
    )


def _refusal(name: str, us: float, n: int) -> str | None:
    needed = n_min(PERCENTILES[name])
    if n < needed:
        return f"n too small ({n} < {needed})"
    return FAILS if isinf(us) else None


def _group_document(group: Group) -> dict[str, object]:
    return {
        "endpoint": group.endpoint,
        "model": group.model,
        "n": group.n,
        **{f"{metric}_s": _metric_document(group, metric) for metric in METRICS},
        "tokens_in": group.tokens_in,
        "tokens_out": group.tokens_out,
        "tokens_in_per_s": round(group.tokens_in_per_s, _DIGITS),
        "tokens_out_per_s": round(group.tokens_out_per_s, _DIGITS),
        "tokens_unknown_n": group.tokens_unknown_n,
        "rate_window_s": group.seconds,
        "outcomes": dict(group.outcomes),
        "in_stream": group.in_stream,
        "provenance": {name: dict(counts) for name, counts in group.provenance.items()},
    }


def _metric_document(group: Group, metric: str) -> dict[str, object]:
    spread, ok_only = group.spreads[metric], group.ok_only[metric]
    whole = _spread_document(spread)
    if metric == "ttft":
        whole |= {"source": sorted(group.provenance["ttft_source"]), "quality": dict(group.provenance["ttft_quality"])}
    if metric == "tpot":
        whole |= {"tok_source": dict(group.provenance["tok_source"])}
    return whole | ({"ok_only": _spread_document(ok_only)} if spread.population == "all" else {})


def _spread_document(spread: Spread) -> dict[str, object]:
    return {
        **spread.values_s,
        "max": spread.max_s,
        "n": spread.n,
        "population": spread.population,
        "method": spread.method,
        "error_ratio_max": dict(spread.error_ratio_max),
        "refused": dict(spread.refused),
        "uncertain": list(spread.uncertain),
        "inf": list(spread.fails),
    }


def _int(row: Row, name: str) -> int:
    return int(cast("int | None", row[name]) or 0)


def _counts(row: Row, name: str) -> dict[str, int]:
    return {word: int(n) for word, n in cast("Mapping[str, int]", row[name]).items() if word}
