"""Knows how two kept runs stand side by side, whatever they differ in; refuses to judge: that is `load gate`.

Source: spec/loadtest.md 12 (differing keys: a labelled comparison, never a pass or fail); issue: `load compare A B`.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from inferometer import listing
from inferometer.load_kept import Kept
from loadtest.baseline import differences
from telemetry.percentile import Standing

COLUMNS = ("metric", "unit", "a", "b", "change_ratio")
_SHARES = (
    ("attainment", "joint", "ratio"),
    ("throughput", "offered_per_s", "requests/s"),
    ("throughput", "tokens_out_per_s", "tokens/s"),
)
_WORDS = {Standing.FAILS: "fails", Standing.TOO_FEW: "n too small"}


def show(one: Kept, other: Kept, output: str) -> int:
    """Print two runs side by side, and on stderr what they differ in; returns the exit code."""
    listing.show(list(rows(one.report, other.report)), COLUMNS, f"a: {one.run_id}, b: {other.run_id}", output)
    sys.stderr.write("".join(f"{line}\n" for line in labels(one, other)))
    return 0


def rows(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[dict[str, object]]:
    """Return each metric of two reports, and the change from the first to the second; None is unknown."""
    for before, after in zip(one["metrics"], other["metrics"], strict=True):
        name = f"{before['name']}_p{before['p']:g}"
        yield _row(name, "s", before["value_s"], after["value_s"]) | {"a": _shown(before), "b": _shown(after)}
    for part, name, unit in _SHARES:
        yield _row(name, unit, one[part][name], other[part][name])


def labels(one: Kept, other: Kept) -> list[str]:
    """Return what a reader must know: who is not fit, and in what the runs differ."""
    found = [f"{run.run_id}: not proven fit" for run in (one, other) if not run.is_fit]
    if one.plan_sha256 != other.plan_sha256:
        found.append("plans differ")
    found += [f"{part.name} differs: {part.baseline}, {part.candidate}" for part in differences(one.key, other.key)]
    return found


def _row(name: str, unit: str, before: float | None, after: float | None) -> dict[str, object]:
    change = round(after / before - 1, 4) if before and after is not None else None
    return {"metric": name, "unit": unit, "a": before, "b": after, "change_ratio": change}


def _shown(figure: Mapping[str, Any]) -> object:
    return figure["value_s"] if figure["value_s"] is not None else _WORDS[Standing(figure["standing"])]
