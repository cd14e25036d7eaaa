"""Knows how a report reads as tables of texts, for a terminal, Markdown and CSV; refuses to know colours.

Source: spec/ui.md 4 (formats, refusal), 3 (CSV); spec/reliability.md 13 (escapes).
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import StringIO

from inferometer.report import CERTAIN_FROM, METRICS, PERCENTILES, Group, Spread
from telemetry.csv_cell import csv_cell
from telemetry.percentile import n_min

_LABELS = {
    "ttft": ("TTFT", "ms", 1e3),
    "tpot": ("TPOT", "ms", 1e3),
    "e2e": ("E2E", "s", 1.0),
    "stall": ("stall", "ms", 1e3),
}
"""Of a metric: its name, the unit it is shown in, and that unit per second."""
_DIGITS = 3
_KILO = 1000
_NO_VALUE = "n/a"
_ONE_AND_ALL = 2
"""Groups of a report on a single endpoint and model: that one and the global one, which are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column's heading and whether it holds figures, which stand to the right."""

    name: str
    figures: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of texts.

    Attributes:
        title: What it tells.
        columns: Its columns.
        rows: Cells, one per column.
        notes: Lines below it.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def tables(groups: Sequence[Group]) -> list[Table]:
    """Return one table per group; the global one only where it says more than a single group does."""
    shown = [group for group in groups if not group.is_global or len(groups) != _ONE_AND_ALL]
    found = [_table(group) for group in shown]
    return [*found[:-1], replace(found[-1], notes=(*found[-1].notes, *_legend(found)))] if found else []


def three_digits(value: float | None) -> str:
    """Return a number with three significant digits, large ones in k and M; `n/a` for None."""
    if value is None:
        return _NO_VALUE
    for unit in ("", "k", "M"):
        if abs(value) < _KILO - 0.5 or unit == "M":
            break
        value /= _KILO
    value = float(f"{value:.{_DIGITS}g}")
    whole = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:.{max(0, _DIGITS - whole)}f}{unit}"


def as_csv(groups: Sequence[Group]) -> str:
    """Return one line per group, units in the headings, texts safe for a spreadsheet; unknown is empty."""
    rows = [_flat(group) for group in groups]
    out = StringIO()
    writer = csv.DictWriter(out, fieldnames=list(_flat_names()), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def as_markdown(groups: Sequence[Group]) -> str:
    """Return the report as Markdown."""
    return "\n".join(markdown(table) for table in tables(groups))


def printable(text: str) -> str:
    """Return a text without control characters, so that a name cannot drive the terminal; `?` stands for each."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _words(name: str) -> Column:
    return Column(name=name, figures=False)


_COLUMNS = (
    *(_words("metric"), _words("requests"), Column(name="n")),
    *(Column(name=name) for name in (*PERCENTILES, "max")),
    _words("how measured"),
)


def _table(group: Group) -> Table:
    name = "all endpoints and models" if group.endpoint is None else f"{group.endpoint}  {group.model or '-'}"
    title = f"{printable(name)}  ({group.n} requests)"
    return Table(title=title, columns=_COLUMNS, rows=tuple(_latency_rows(group)), notes=_facts(group))


def _latency_rows(group: Group) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for metric in METRICS:
        spread, ok_only = group.spreads[metric], group.ok_only[metric]
        rows.append((*_metric_cells(metric, spread), _provenance(group, metric)))
        # Both populations are shown where they differ; where nothing failed they are the same.
        if spread.n != ok_only.n:
            rows.append((*_metric_cells(metric, ok_only), ""))
    return rows


def _metric_cells(metric: str, spread: Spread) -> tuple[str, ...]:
    name, unit, per_s = _LABELS[metric]
    cells = [_percentile_cell(spread, percentile, per_s) for percentile in PERCENTILES]
    largest = three_digits(None if spread.max_s is None else spread.max_s * per_s)
    return (f"{name} ({unit})", "all" if spread.population == "all" else "ok", str(spread.n), *cells, largest)


def _percentile_cell(spread: Spread, percentile: str, per_s: float) -> str:
    value = spread.values_s[percentile]
    if value is not None:
        return three_digits(value * per_s) + ("?" if percentile in spread.uncertain else "")
    return "fails" if percentile in spread.fails else f"n<{n_min(PERCENTILES[percentile])}"


def _provenance(group: Group, metric: str) -> str:
    if metric == "ttft":
        return f"{_mostly(group.provenance['ttft_source'])}, {_mostly(group.provenance['ttft_quality'])}"
    if metric == "tpot":
        known = {word: n for word, n in group.provenance["tok_source"].items() if word != "none"}
        return f"tokens from {_mostly(known)}"
    return "largest gap between outputs" if metric == "stall" else "request to last output"


def _mostly(counts: Mapping[str, int]) -> str:
    if not counts:
        return _NO_VALUE
    word, n = max(counts.items(), key=lambda pair: pair[1])
    total = sum(counts.values())
    return word if n == total else f"{word} {100 * n // total} %"


def _facts(group: Group) -> tuple[str, ...]:
    outcomes = ", ".join(f"{word} {n}" for word, n in group.outcomes.items())
    unknown = f"; {group.tokens_unknown_n} requests did not say their output tokens" if group.tokens_unknown_n else ""
    rates = f"out {three_digits(group.tokens_out_per_s)}/s, in {three_digits(group.tokens_in_per_s)}/s"
    return (
        f"outcomes  {outcomes}; faults inside a 200 answer: {group.in_stream}",
        f"tokens    {rates}; out {group.tokens_out}, in {group.tokens_in}{unknown}",
    )


def _legend(found: Sequence[Table]) -> tuple[str, ...]:
    cells = {cell for table in found for row in table.rows for cell in row[3:6]}
    notes: list[str] = []
    if any(cell.startswith("n<") for cell in cells):
        notes.append("n<100     n too small: the percentile needs that many requests")
    if any(cell.endswith("?") for cell in cells):
        floors = ", ".join(f"{name} {n}" for name, n in CERTAIN_FROM.items())
        notes.append(f"?         uncertain: certified only from this n on: {floors}")
    if "fails" in cells:
        notes.append("fails     the percentile falls on a failed request")
    return tuple(notes)


def markdown(table: Table) -> str:
    """Return a table as Markdown."""
    heads = "| " + " | ".join(column.name for column in table.columns) + " |"
    rules = "|" + "|".join("---:" if column.figures else "---" for column in table.columns) + "|"
    rows = ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table.rows)
    notes = (f"\n{note}" for note in table.notes)
    return "\n".join([f"### {table.title}\n", heads, rules, *rows, *notes, ""])


def _flat_names() -> tuple[str, ...]:
    spreads = [f"{metric}_{name}_s" for metric in METRICS for name in (*PERCENTILES, "max")]
    counts = [f"{metric}_n" for metric in METRICS]
    return ("endpoint", "model", "n", *spreads, *counts, *_FLAT_TAIL)


_FLAT_TAIL = ("tokens_in", "tokens_out", "tokens_in_per_s", "tokens_out_per_s", "in_stream", "ok", "outcomes")


def _flat(group: Group) -> dict[str, object]:
    flat: dict[str, object] = {"endpoint": group.endpoint, "model": group.model, "n": group.n}
    for metric, spread in group.spreads.items():
        flat |= {f"{metric}_{name}_s": value for name, value in spread.values_s.items()}
        flat |= {f"{metric}_max_s": spread.max_s, f"{metric}_n": spread.n}
    tail = (
        group.tokens_in,
        group.tokens_out,
        group.tokens_in_per_s,
        group.tokens_out_per_s,
        group.in_stream,
        group.outcomes.get("ok", 0),
        " ".join(f"{word}={n}" for word, n in group.outcomes.items()),
    )
    return flat | dict(zip(_FLAT_TAIL, tail, strict=True))
