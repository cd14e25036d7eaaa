"""Knows how two kept runs stand side by side, whatever they differ in; refuses to judge: that is `load gate`.

Source: spec/loadtest.md 12 (differing keys: a labelled comparison, never a pass or fail); issue: `load compare A B`.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from inferometer import listing, load_gate, load_html
from inferometer.errors import ConfigurationError
from inferometer.load_kept import Kept
from loadtest.baseline import differences
from telemetry.percentile import Standing

HTML = "html"
SEED = 7
"""Of the resamples behind the intervals."""
COLUMNS = ("metric", "unit", "a", "b", "change_ratio")
_SHARES = (
    ("attainment", "joint", "ratio"),
    ("throughput", "offered_per_s", "requests/s"),
    ("throughput", "tokens_out_per_s", "tokens/s"),
)
_WORDS = {Standing.FAILS: "fails", Standing.TOO_FEW: "n too small"}


def show(one: Kept, other: Kept, output: str) -> int:
    """Print two runs side by side, and on stderr what they differ in; `html` writes a page and prints where.

    Returns:
        The exit code, 0.

    Raises:
        InferometerError: One is of a closed loop and the other is not, the page needs rows that cannot be read, or the
            disk takes no more.
    """
    loops = [run.key.loop for run in (one, other)]
    if loops[0] != loops[1]:
        raise ConfigurationError(
            f"load compare: {one.run_id} is of {loops[0]} loop, {other.run_id} of {loops[1]}: their latencies count "
            "from different instants; allowed: two of one loop"
        )
    if output == HTML:
        sys.stdout.write(f"{load_html.write_compare(one, other, changes(one, other), labels(one, other))}\n")
        return 0
    listing.show(list(rows(one.report, other.report)), COLUMNS, f"a: {one.run_id}, b: {other.run_id}", output)
    sys.stderr.write("".join(f"{line}\n" for line in labels(one, other)))
    return 0


def changes(one: Kept, other: Kept) -> list[dict[str, Any]]:
    """Return by how much the second run is worse, with intervals, as `load gate` tells it; its verdicts say nothing."""
    found: list[dict[str, Any]] = load_gate.document(load_gate.answer([one], [other], SEED))["metrics"]
    return found


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
    parts = differences(one.key, other.key)
    found += ["cross-configuration: no pass and no fail can be said of it"] if parts else []
    found += [f"{part.name} differs: {part.baseline}, {part.candidate}" for part in parts]
    return found


def _row(name: str, unit: str, before: float | None, after: float | None) -> dict[str, object]:
    change = round(after / before - 1, 4) if before and after is not None else None
    return {"metric": name, "unit": unit, "a": before, "b": after, "change_ratio": change}


def _shown(figure: Mapping[str, Any]) -> object:
    return figure["value_s"] if figure["value_s"] is not None else _WORDS[Standing(figure["standing"])]
