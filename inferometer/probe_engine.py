"""Knows how an engine's metrics are told at a terminal; refuses to fetch or to read them.

A percentile of an engine's histogram is the bucket that it falls into: its upper bound is shown, and its width beside
it. Nothing is interpolated.

Source: spec/measurement.md 11, 14; design.md (exit codes).
"""

import asyncio
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.listing import Row, show
from probes.aliases import TABLE, UNLOCKS, Engine, Kind, Source
from probes.detect import Detected
from probes.engine_metrics import ENGINE_UNKNOWN, EngineProbe, Target
from probes.errors import PageFault
from probes.normalise import STATE, Normalised, increase
from telemetry.clock import monotonic_ns
from telemetry.fetch import Client
from telemetry.percentile import P50, P95, P99, n_min, rank
from telemetry.samples import EngineHistogram, EngineSample

COLUMNS = ("metric", "value", "width", "per_s", "how", "source", "note")
"""What is told of each metric; `width` is that of the bucket which the value is the upper bound of."""

_LEVELS = frozenset({"running", "queued", "queued_capacity", "queued_deferred", "kv_used_ratio", "kv_used_ratio_max"})
_TOO_FEW = "n too small"
_WHOLE = 1e5  # from here on a fraction is noise
_WATCHED = COLUMNS[:-1]
_SEEN = tuple(name for name in _WATCHED if name != "per_s")
_FOR_PROGRAMS = frozenset({"json", "csv"})
_SHARES = {"kv_used_ratio": "mean", "kv_used_ratio_max": "largest", "prefix_hit_ratio": "mean"}
_PERCENTILES = {"p50": P50, "p95": P95, "p99": P99}
_NOT_ITS_PAGE = frozenset({PageFault.STATUS.value, PageFault.CONTENT_TYPE.value, PageFault.NOTHING_KNOWN.value})


def run(url: str, engine: str | None, output: str, watch_s: float | None = None, key_file: Path | None = None) -> int:
    """Print what an engine's page of metrics says, once or again and again.

    Args:
        url: The engine, http or https, without a path.
        engine: Which one it is; None looks.
        output: Format on stdout.
        watch_s: Seconds from one look to the next; None looks once.
        key_file: File that holds its key; None if it needs none.

    Raises:
        ConfigurationError: The URL is none, the engine is not known, or the file cannot be read.
        UnreachableError: There is no page that can be read.
    """
    known = _engine(engine)
    target = Target(url=url, endpoint="engine", replica=_place(url), engine=known, headers=_key(key_file))
    asyncio.run(_looked(target, output, watch_s))
    return 0


async def _looked(target: Target, output: str, watch_s: float | None) -> None:
    async with Client() as client:
        probe = EngineProbe(target, client)
        last: tuple[int, Normalised] | None = None
        while True:
            at_ns = monotonic_ns()
            [sample, *_] = await probe.ask()
            if (told := probe.last) is None:
                raise UnreachableError(f"{target.url}: {_reason(probe.why, sample)}")
            if probe.why:
                sys.stderr.write(f"{target.url}: {_reason(probe.why, sample)}\n")
            else:
                rows = list(table(told, last[1] if last else None, (at_ns - last[0]) / 1e9 if last else 0.0))
                title = _title(target, told.sample, probe.detected or Detected())
                if output in _FOR_PROGRAMS:
                    show(rows, COLUMNS, title, output)
                else:
                    names = _WATCHED if last else _SEEN
                    show([_short(row) for row in rows], names, title, output)
                last = at_ns, told
            if watch_s is None:
                return
            await asyncio.sleep(max(0.0, watch_s - (monotonic_ns() - at_ns) / 1e9))


def table(told: Normalised, before: Normalised | None = None, after_s: float = 0.0) -> Iterator[Row]:
    """Give one row for each metric that an engine can show.

    Args:
        told: What its page says.
        before: What it said before; None for the first look.
        after_s: Seconds between the two.
    """
    values, was = _values(told.sample), _values(before.sample) if before else {}
    histograms = {one.metric: one for one in told.histograms}
    sources = _sources(Engine(told.sample.engine))
    shown: set[str] = set()
    for name, source in sources.items():
        row = {"source": told.spelled.get(name), "note": source.note, "width": None, "per_s": None}
        if source.kind is Kind.HISTOGRAM and name in histograms:
            shown.add(name)
            yield from ({**row, **figures} for figures in _figures(histograms[name]))
        for at in [at for at in values if at in (name, f"{name}_max") or at.startswith(f"{name}.")]:
            shown |= {name, at}
            rises = source.kind is Kind.COUNTER and at in was and after_s > 0
            per_s = increase(was[at], values[at]) / after_s if rises else None
            yield {**row, "metric": at, "value": values[at], "per_s": per_s, "how": _SHARES.get(at, "exact")}
    nothing = dict.fromkeys(COLUMNS)
    yield from ({**nothing, "metric": at, "value": values[at], "how": "exact"} for at in values if at not in shown)
    for name, source in sources.items():
        if name not in shown and source.kind is not Kind.INFO and name != STATE:
            yield {**nothing, "metric": name, "how": "missing", "note": source.needs or source.note}


def _sources(engine: Engine) -> Mapping[str, Source]:
    """Return the first source of each canonical name."""
    first: dict[str, Source] = {}
    for source in TABLE[engine]:
        first.setdefault(source.canonical, source)
    return first


def _values(sample: EngineSample) -> dict[str, float]:
    """Return the single values of a sample; of a map, one for each key."""
    columns = [name for name in EngineSample.__struct_fields__ if name.endswith("_total") or name in _LEVELS]
    values: dict[str, float] = {}
    for name in columns:
        value: object = getattr(sample, name)
        if isinstance(value, int | float):
            values[name] = value
    for name, entries in (("success_total", sample.success_total), ("http_total", sample.http_total)):
        values |= {f"{name}.{at}": value for at, value in entries.items()}
    return values | sample.extra


def _figures(one: EngineHistogram) -> Iterator[Row]:
    """Give number, mean and percentiles of a histogram."""
    unit = "" if one.metric.endswith("tokens") else "_s"
    n = one.cumulative[-1]
    yield {"metric": f"{one.metric}_n", "value": n, "how": "exact"}
    yield {"metric": f"{one.metric}_mean{unit}", "value": one.sum / n if n else None, "how": "exact" if n else _TOO_FEW}
    for name, p_ppm in _PERCENTILES.items():
        low, high = bucket(one, p_ppm) or (math.nan, math.nan)
        how = "bucketed" if math.isfinite(high) else f"above {low:g}" if high > low else _TOO_FEW
        known = math.isfinite(high)
        value, width = (high, high - low) if known else (None, None)
        yield {"metric": f"{one.metric}_{name}{unit}", "value": value, "width": width, "how": how}


def bucket(one: EngineHistogram, p_ppm: int) -> tuple[float, float] | None:
    """Return lower and upper bound of the bucket that holds a percentile; None below its least n."""
    n = one.cumulative[-1]
    if n < n_min(p_ppm):
        return None
    at = next(at for at, below in enumerate(one.cumulative) if below >= rank(p_ppm, n))
    return (one.le[at - 1] if at else 0.0), one.le[at]


def _short(row: Row) -> Row:
    """Return a row as people want it: few digits, and where something is missing, what would show it."""
    numbers = {name: _rounded(value) for name, value in row.items() if isinstance(value, float)}
    return {**row, **numbers, "source": row["note"] if row["how"] == "missing" else row["source"]}


def _rounded(value: float) -> float:
    return round(value) if value >= _WHOLE else float(f"{value:.6g}")


def _title(target: Target, sample: EngineSample, detected: Detected) -> str:
    version = f" {detected.version}" if detected.version else ""
    model = f", {sample.model}" if sample.model else ""
    by = f", known by {detected.evidence}" if detected.engine else ""
    return f"{sample.engine}{version} at {target.url}{model}{by}"


def _reason(why: str, sample: object) -> str:
    """Return why there is no page, and what helps."""
    if why == ENGINE_UNKNOWN:
        return f"{why}: it does not tell what it is; say --engine NAME"
    engine = Engine(sample.engine) if isinstance(sample, EngineSample) and sample.engine else None
    if engine is None or why not in _NOT_ITS_PAGE or engine not in UNLOCKS:
        return why
    return f"{why}: {engine} shows its metrics with: {UNLOCKS[engine]}"


def _engine(name: str | None) -> Engine | None:
    if name is None:
        return None
    try:
        return Engine(name)
    except ValueError:
        raise ConfigurationError(f"--engine: found {name!r}; allowed: {', '.join(Engine)}") from None


def _place(url: str) -> str:
    """Return the authority of a URL that names a server and nothing else."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ConfigurationError(f"found {url!r}; allowed: http://HOST:PORT or https://HOST:PORT") from None
    if not fits or parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigurationError(f"found {url!r}; allowed: http://HOST:PORT or https://HOST:PORT")
    return parts.netloc


def _key(file: Path | None) -> Mapping[str, str]:
    if file is None:
        return {}
    try:
        return {"Authorization": f"Bearer {file.read_text().strip()}"}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--key-file: {file} cannot be read: {error}") from None
