"""Knows what the looks beside a run come to: use of the KV cache and of the GPUs; refuses to look itself.

Of several engines or GPUs the fullest counts at each look: the first that is full is the wall.

Source: spec/loadtest.md 19 (`kv_used_p95`, `gpu_util_ratio` of a point of the curve).
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inferometer.load_guard_lines import ENGINE, GPU

LOOKS_BYTES_MAX = 256 << 20
"""Longest file of looks that is read; a day of one engine takes 20 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What was seen within the measured part of a run.

    Attributes:
        kv_used_p95: 95th percentile of the share of the KV cache in use; None if nobody could see it.
        gpu_util_ratio: Mean share of time in which the busiest GPU worked; None likewise.
        prefix_hit_ratio: Share of the prompts' tokens that the prefix cache held, by its counters; None likewise.
        energy_j: What all GPUs that were looked at took, joules; None likewise.
    """

    kv_used_p95: float | None
    gpu_util_ratio: float | None
    prefix_hit_ratio: float | None = None
    energy_j: float | None = None


def looks(directory: Path, window_ns: tuple[int, int]) -> Looks:
    """Read the looks of a run; those of no run, or of none that can be read, say nothing."""
    kv = _fullest(directory / ENGINE, "kv_used_ratio", window_ns)
    gpu = _fullest(directory / GPU, "gpu_util_ratio", window_ns)
    return Looks(
        kv_used_p95=sorted(kv)[math.ceil(0.95 * len(kv)) - 1] if kv else None,
        gpu_util_ratio=sum(gpu) / len(gpu) if gpu else None,
        prefix_hit_ratio=_hit_ratio(directory / ENGINE, window_ns),
        energy_j=_energy_j(directory / GPU, window_ns),
    )


def _hit_ratio(path: Path, window_ns: tuple[int, int]) -> float | None:
    hits, asked = (_ends(path, name, window_ns, "replica") for name in ("prefix_hits_total", "prefix_queries_total"))
    total = sum(last - first for (_, first), (_, last) in asked.values())
    if total <= 0 or hits.keys() != asked.keys():
        return None
    return sum(last - first for (_, first), (_, last) in hits.values()) / total


def _energy_j(path: Path, window_ns: tuple[int, int]) -> float | None:
    """Return the energy of the window: of each GPU that between its first and its last look, for the whole length."""
    length_s = (window_ns[1] - window_ns[0]) / 1e9
    found = 0.0
    ends = _ends(path, "energy_j", window_ns, "gpu_uuid")
    for (since_s, first), (until_s, last) in ends.values():
        if until_s <= since_s or last < first:
            return None  # one look, or a driver that began anew
        found += (last - first) * length_s / (until_s - since_s)
    return found if ends else None


_Look = tuple[float, float]


def _ends(path: Path, name: str, window_ns: tuple[int, int], who: str) -> dict[str, tuple[_Look, _Look]]:
    """Return the first and the last (time, value) of each source within the window."""
    first_s, until_s = (edge_ns / 1e9 for edge_ns in window_ns)
    found: dict[str, tuple[_Look, _Look]] = {}
    for look in _lines(path):
        at_s, value = look.get("at_s"), look.get(name)
        if isinstance(at_s, int | float) and isinstance(value, int | float) and first_s <= at_s < until_s:
            now = float(at_s), float(value)
            source = str(look.get(who))
            found[source] = found.get(source, (now, now))[0], now
    return found


def _fullest(path: Path, name: str, window_ns: tuple[int, int]) -> list[float]:
    """Return the largest value of each second of the window."""
    first_s, until_s = (edge_ns / 1e9 for edge_ns in window_ns)
    found: dict[int, float] = {}
    for look in _lines(path):
        at_s, value = look.get("at_s"), look.get(name)
        if isinstance(at_s, int | float) and isinstance(value, int | float) and first_s <= at_s < until_s:
            second = math.floor(at_s)
            found[second] = max(found.get(second, 0.0), float(value))
    return list(found.values())


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            data = file.read(LOOKS_BYTES_MAX)
    except OSError:
        return
    for line in data.splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # cut off
            continue
