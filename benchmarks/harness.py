"""Knows how a benchmark is asked for and how it answers; refuses to know what is measured.

Every benchmark is `python -m benchmarks.NAME [--quick] --output table|json`. The answer holds every figure with its
unit, and `ratios`, the few figures that a gate reads.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number.

    Attributes:
        name: What was measured.
        value: The number; None if it could not be measured.
        unit: Its unit.
        note: How it was measured, if the name does not say so.
    """

    name: str
    value: float | None
    unit: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a benchmark says.

    Attributes:
        benchmark: Its name.
        figures: Every figure, in the order of the table.
        ratios: Figures that a gate reads, by name; a list is of names.
        setting: How it was run: counts, sizes, machine.
    """

    benchmark: str
    figures: list[Figure]
    ratios: Mapping[str, float | Sequence[str] | None]
    setting: Mapping[str, object] = field(default_factory=dict[str, object])


def table(answer: Answer) -> str:
    """Return the answer as text in columns."""
    rows = [("figure", "value", "unit", "note")]
    rows += [(f.name, "n/a" if f.value is None else f"{f.value:,.3f}", f.unit, f.note) for f in answer.figures]
    rows += [(f"ratio: {name}", *_told(value)) for name, value in answer.ratios.items()]
    widths = [max(len(row[at]) for row in rows) for at in range(3)]
    lines = [f"{r[0]:<{widths[0]}}  {r[1]:>{widths[1]}}  {r[2]:<{widths[2]}}  {r[3]}".rstrip() for r in rows]
    return "\n".join([f"{answer.benchmark}: {answer.setting}", *lines])


def _told(value: float | Sequence[str] | None) -> tuple[str, str, str]:
    """Return a ratio's value, unit and note; a list of names is as long as it is, and they are the note."""
    if value is None:
        return "n/a", "", ""
    if isinstance(value, int | float):
        return f"{value:,.3f}", "", ""
    return str(len(value)), "", "; ".join(value)


def as_json(answer: Answer) -> str:
    """Return the answer as one JSON object."""
    figures = [{"name": f.name, "value": f.value, "unit": f.unit, "note": f.note} for f in answer.figures]
    whole = {"benchmark": answer.benchmark, "setting": answer.setting, "figures": figures, "ratios": answer.ratios}
    return json.dumps(whole, indent=2)


def main(name: str, measure: Callable[[bool], Answer]) -> None:
    """Read the command line, measure, print.

    Args:
        name: Of the benchmark, as in `python -m benchmarks.NAME`.
        measure: Takes whether to be quick.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("--quick", action="store_true", help="end within 50 s")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    answer = measure(options.quick)
    print(as_json(answer) if options.output == "json" else table(answer))
