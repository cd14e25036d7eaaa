"""Knows how what a page says becomes one sample and its histograms; refuses to fetch, to read or to add pages up.

A counter that fell began anew: its increase is its new value. Also a new start time of the process, and a rank that
came or went, say that no rate goes across. A failed scrape is no page, so what came before it still counts.

A model's name becomes a label only if it is known beforehand, so no typed name makes a series. What an engine showed
before its version changed and shows no more is `metric_missing`.

Engine counters hold the tokens of aborted requests, their histograms of finished ones do not (vllm#55634): latency as
the engine tells it looks better than it is when users give up.

Source: spec/measurement.md 14, 15 (T5, T6, T7, T9); spec/store.md 3 (engine_metrics, engine_histograms).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeVar

from probes.aliases import MODEL_LABELS, TABLE, Engine, Kind, key
from probes.page import Buckets, Labels, Page, Reject
from probes.tally import COUNTS, GAUGES, MAPS, RATIOS, UNKNOWN, Series, Tally, tally
from telemetry.samples import EngineHistogram, EngineSample

STARTED = "process_start_unix_s"
"""Canonical name of when the engine's process began."""
STATE = "sleep_state"
"""Canonical name of how deep the engine sleeps."""

_RANKS = frozenset({"engine", "dp_rank", "ReplicaId", "WorkerId"})
"""Labels that tell parts of one engine from each other; the last two are Ray's."""
_V = TypeVar("_V", float, Buckets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """One scrape that gave a page.

    Attributes:
        ts: Its wall time, unix milliseconds.
        endpoint: Configured name of the endpoint.
        replica: Address or pod of the engine.
        engine: Which engine it is.
        scrape_us: How long it took.
        version: Of the engine; empty if not known.
        models: Names that may be shown, the preferred one first.
    """

    ts: int
    endpoint: str
    replica: str
    engine: Engine
    scrape_us: int = 0
    version: str = ""
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What the next scrape is compared with.

    Attributes:
        version: Of the engine.
        counters: Counters, as last believed.
        histograms: Histograms by canonical name and labels, as last believed.
        started_s: Start time of the process; None if it does not tell.
        names: Canonical names that this version has shown.
        missing: Those that an earlier version showed and this one has not.
    """

    version: str = ""
    counters: Mapping[Series, float] = field(default_factory=dict[Series, float])
    histograms: Mapping[Series, Buckets] = field(default_factory=dict[Series, Buckets])
    started_s: float | None = None
    names: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalised:
    """What one page says.

    Attributes:
        sample: The row of engine_metrics.
        histograms: The rows of engine_histograms.
        after: For the next scrape.
        spelled: How the page calls what it has, by canonical name.
    """

    sample: EngineSample
    histograms: tuple[EngineHistogram, ...]
    after: Before
    spelled: Mapping[str, str]


def increase(before: float, now: float) -> float:
    """Return by how much a counter rose: its new value if it began anew, never less than 0."""
    return now if now < before else now - before


def normalise(page: Page, scrape: Scrape, before: Before | None = None) -> Normalised:
    """Make the rows of one scrape.

    Args:
        page: What the engine says.
        scrape: When, where and how it was asked.
        before: `after` of the last scrape that gave a page; None for the first one.
    """
    told = tally(page, scrape.engine)
    was = before or Before(version=scrape.version)
    restarted = STARTED in told.values and was.started_s not in (None, told.values[STARTED][""])
    series = {(metric, at): one for metric, sets in told.histograms.items() for at, one in sets.items()}
    broken = _broken(was.histograms, series, _emptied)
    after = _after(told, series, scrape, was)
    sample = EngineSample(
        ts=scrape.ts,
        endpoint=scrape.endpoint,
        replica=scrape.replica,
        engine=scrape.engine.value,
        model=_model(page, scrape.models),
        up=1,
        scrape_us=scrape.scrape_us,
        sleep_state=_state(told.values.get(STATE, {})),
        config_hash=_config_hash(page, scrape.engine),
        reset=int(restarted or bool(_broken(was.counters, told.counters, _fell))),
        extra=_extra(told, page, after.missing),
        **_columns(told.values),
    )
    histograms = tuple(
        _histogram(metric, list(sets.values()), scrape, reset=restarted or metric in broken)
        for metric, sets in told.histograms.items()
    )
    return Normalised(sample=sample, histograms=histograms, after=after, spelled=told.spelled)


def _columns(values: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Return the columns whose value is known; their types are those of the sample."""
    shares = {name: values[name][""] for name in RATIOS if name in values}
    counts = {name: int(values[name][""]) for name in (*GAUGES, *COUNTS) if name in values}
    maps = {
        name: {at or UNKNOWN: int(value) for at, value in sorted(values[name].items())}
        for name in MAPS
        if name in values
    }
    return {**shares, **counts, **maps}


def _extra(told: Tally, page: Page, missing: Iterable[str]) -> dict[str, float]:
    """Return what has no column, and what is wrong: `metric_missing.NAME`, `rejected.REASON`."""
    columns = {*RATIOS, *GAUGES, *COUNTS, *MAPS, STATE}
    extra = {
        f"{name}.{at}" if at else name: value
        for name, values in told.values.items()
        if name not in columns
        for at, value in sorted(values.items())
    }
    if (tokens := _kv_tokens(page)) is not None:
        extra["kv_tokens_max"] = tokens
    extra |= {f"metric_missing.{name}": 1.0 for name in sorted(missing)}
    rejects = Counter(page.rejects) + Counter({Reject.OUT_OF_RANGE: told.odd})
    return extra | {f"rejected.{why}": float(number) for why, number in sorted(rejects.items())}


def _kv_tokens(page: Page) -> float | None:
    """Return how many tokens vLLM's KV cache holds; None if it does not tell."""
    configs = [dict(point.labels) for point in page.points.get("vllm_cache_config_info", ())]
    products = [
        (config.get("kv_cache_size_tokens", ""), (config.get("num_gpu_blocks", ""), config.get("block_size", "")))
        for config in configs
    ]
    sizes = [_digits(size) or _digits(blocks) * _digits(block) for size, (blocks, block) in products]
    return float(sum(sizes)) if sizes and all(sizes) else None


def _digits(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < len(str(2**63)) else 0


def _state(states: Mapping[str, float]) -> str:
    """Return the state that all engine cores are in."""
    now = [state for state, number in states.items() if number]
    return now[0] if len(now) == 1 else "mixed" if now else ""


def _model(page: Page, known: tuple[str, ...]) -> str:
    """Return the first known model that the page speaks of."""
    points = (point.labels for found in page.points.values() for point in found)
    named = {value for labels in points for name, value in labels if name in MODEL_LABELS}
    if not named:
        return known[0] if len(known) == 1 else ""
    return next((model for model in known if model in named), UNKNOWN)


def _config_hash(page: Page, engine: Engine) -> int:
    """Return a hash of what the engine says of its configuration, whatever its rank; 0 if it says nothing."""
    told = sorted(
        {
            (at, tuple((name, value) for name, value in point.labels if name not in _RANKS))
            for source in TABLE[engine]
            if source.kind is Kind.INFO
            for at in map(key, source.names)
            for point in page.points.get(at, ())
        }
    )
    return int.from_bytes(blake2b(repr(told).encode(), digest_size=8).digest()) if told else 0


def _histogram(metric: str, sets: list[Buckets], scrape: Scrape, *, reset: bool) -> EngineHistogram:
    return EngineHistogram(
        ts=scrape.ts,
        endpoint=scrape.endpoint,
        replica=scrape.replica,
        metric=metric,
        le=sets[0].le,
        cumulative=tuple(map(sum, zip(*(one.cumulative for one in sets), strict=True))),
        sum=sum(one.sum for one in sets),
        reset=int(reset),
    )


def _after(told: Tally, series: Mapping[Series, Buckets], scrape: Scrape, was: Before) -> Before:
    names = frozenset(told.values) | frozenset(told.histograms)
    changed = scrape.version != was.version
    started = told.values.get(STARTED)
    return Before(
        version=scrape.version,
        counters=_carried(was.counters, told.counters),
        histograms=_carried(was.histograms, series),
        started_s=started[""] if started else was.started_s,
        names=names if changed else was.names | names,
        missing=(was.missing | (was.names if changed else frozenset[str]())) - names,
    )


def _carried(was: Mapping[Series, _V], now: Mapping[Series, _V]) -> dict[Series, _V]:
    """Return what is believed now, and what was believed before of names that are not there now."""
    names = {name for name, _ in now}
    return {at: value for at, value in was.items() if at[0] not in names} | dict(now)


def _broken(was: Mapping[Series, _V], now: Mapping[Series, _V], fell: Callable[[_V, _V], bool]) -> set[str]:
    """Return the names across which no rate goes: a series fell or is gone, or a rank is new."""
    names = {name for name, _ in now}
    ranks = {(name, _rank(labels)) for name, labels in was}
    known = {name for name, _ in was}
    gone = {at[0] for at, value in was.items() if at[0] in names and (at not in now or fell(value, now[at]))}
    return gone | {name for name, labels in now if name in known and (name, _rank(labels)) not in ranks}


def _rank(labels: Labels) -> Labels:
    return tuple((name, value) for name, value in labels if name in _RANKS)


def _fell(before: float, now: float) -> bool:
    return now < before


def _emptied(before: Buckets, now: Buckets) -> bool:
    return before.le != now.le or any(
        fewer < more for more, fewer in zip(before.cumulative, now.cumulative, strict=True)
    )
