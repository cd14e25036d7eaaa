"""Knows what the counts of finished requests look like as metric families; refuses to know how a page is written.

Source: collector.catalogue (the families), spec/store.md 4.1 (durations hold requests that ended as ok).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from collector.buckets import Scale, itl_cells
from collector.catalogue import CATALOGUE, Spec
from collector.series import MEASURES, Counted, Key, Spread, Worst, merged
from telemetry.histogram import SCALE, ZERO_KEY
from telemetry.histogram_export import NativeHistogram, prometheus
from telemetry.outcome import Eligibility, Outcome, Phase

CANCEL_PHASES = (Phase.CONNECT, Phase.QUEUED, Phase.STREAMING)
"""How far a request can have come when its client leaves."""

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A histogram as it is shown.

    Attributes:
        n: Values.
        total: Their sum, in the shown unit.
        bounds: Ends of the classic buckets, but for +Inf.
        cumulative: Values at or below each of them, and below +Inf.
        exemplars: Worst request by classic bucket.
        per_unit: Whole values in one shown unit; the values of exemplars are whole.
        native: The exponential histogram.
    """

    n: int
    total: float
    bounds: Sequence[float]
    cumulative: Sequence[int]
    exemplars: Mapping[int, Worst]
    per_unit: int
    native: NativeHistogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A metric and its values by label set."""

    spec: Spec
    points: Sequence[tuple[Labels, float | Shown]]


def family(name: str, points: Iterable[tuple[Labels, float]]) -> Family:
    """Return the values of a counter or gauge."""
    return Family(spec=CATALOGUE[name], points=list(points))


def shown(spread: Spread, scale: Scale) -> Shown:
    """Return a histogram as it is shown."""
    total = spread.total / scale.per_unit
    return Shown(
        n=spread.n,
        total=total,
        bounds=scale.classic_bounds,
        cumulative=scale.classic(spread.cells),
        exemplars=spread.worst,
        per_unit=scale.per_unit,
        native=prometheus(scale.exponential(spread.cells), sum_s=total),
    )


def itl(parts: Iterable[Counted]) -> Spread:
    """Return the inter-token latencies of several cells; their sum takes each in the middle of its bucket."""
    h: Counter[int] = Counter()
    for counted in parts:
        h.update(counted.itl_h)
    total_s = sum(2 ** ((i + 0.5) / 2**SCALE) * count for i, count in h.items() if i != ZERO_KEY)
    return Spread(itl_cells(h), round(total_s * 1e6))


def measured(read: Mapping[Key, Counted]) -> Iterator[Family]:
    """Yield every family of finished requests."""
    by_model: dict[Labels, dict[Key, Counted]] = {}
    for key, counted in sorted(read.items()):
        by_model.setdefault((key.endpoint, key.model), {})[key] = counted
    yield _requests(read)
    yield from _counts(by_model)
    yield from _tokens(by_model)
    yield from _durations(by_model)


_ByModel = Mapping[Labels, Mapping[Key, Counted]]


def _requests(read: Mapping[Key, Counted]) -> Family:
    totals: Counter[Labels] = Counter()
    for key, counted in sorted(read.items()):
        totals[key.endpoint, key.model, key.api, key.outcome, key.phase] += counted.n
    return family("requests", totals.items())


def _counts(by_model: _ByModel) -> Iterator[Family]:
    eligible = [
        ((*model, word), sum(counted.n for key, counted in cells.items() if key.eligible == word))
        for model, cells in by_model.items()
        for word in Eligibility
    ]
    yield family("requests_eligible", eligible)
    yield _summed("in_stream_errors", by_model, lambda _, counted: counted.in_stream)
    cancels = [
        ((*model, phase), sum(counted.n for key, counted in cells.items() if _is_cancelled(key, phase)))
        for model, cells in by_model.items()
        for phase in CANCEL_PHASES
    ]
    yield family("client_cancels", cancels)


def _tokens(by_model: _ByModel) -> Iterator[Family]:
    yield _summed("tokens_in", by_model, lambda _, counted: counted.spreads["tokens_in"].total)
    yield _summed("tokens_out", by_model, lambda _, counted: counted.spreads["tokens_out"].total)
    failed = _summed(
        "tokens_failed",
        by_model,
        lambda key, counted: 0 if _is_ok(key) else counted.spreads["tokens_out"].total,
    )
    yield failed
    yield _summed("tokens_cache_read", by_model, lambda _, counted: counted.tokens_cache_read)
    yield _summed("tokens_cache_write", by_model, lambda _, counted: counted.tokens_cache_write)
    yield _summed("tokens_reasoning", by_model, lambda _, counted: counted.tokens_reasoning)
    yield _summed(
        "requests_tokens_unknown",
        by_model,
        lambda key, counted: counted.n - counted.spreads["tokens_out"].n if _is_ok(key) else 0,
    )


def _durations(by_model: _ByModel) -> Iterator[Family]:
    ok = {model: {key: it for key, it in cells.items() if _is_ok(key)} for model, cells in by_model.items()}
    for name in ("ttft", "ttfo", "e2e", "tpot", "icl_max"):
        spreads = ((model, shown(merged(cells, name), MEASURES[name])) for model, cells in ok.items())
        yield Family(spec=CATALOGUE[f"{name}_seconds"], points=list(spreads))
    spec = CATALOGUE["itl_seconds"]
    assert spec.scale is not None  # noqa: S101 -- a histogram has one
    scale = spec.scale
    yield Family(spec=spec, points=[(model, shown(itl(cells.values()), scale)) for model, cells in ok.items()])


def _summed(name: str, by_model: _ByModel, part: Callable[[Key, Counted], int]) -> Family:
    sums = ((model, sum(part(key, counted) for key, counted in cells.items())) for model, cells in by_model.items())
    return family(name, sums)


def _is_ok(key: Key) -> bool:
    return key.outcome == Outcome.OK


def _is_cancelled(key: Key, phase: Phase) -> bool:
    return key.outcome == Outcome.CLIENT_CANCELLED and key.phase == phase
