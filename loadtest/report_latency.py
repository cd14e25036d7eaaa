"""Knows how the latencies of a run are shown: percentiles, distributions, over time; refuses to judge them.

Failures are infinite in every percentile and distribution; a percentile that lands on one "fails". Below its display
floor a percentile is "n too small", below its certification floor it is marked as uncertain.

Source: spec/loadtest.md 6, 18; spec/measurement.md 11 (nearest rank, floors, both populations); spec/ui.md 4.
"""

from collections.abc import Sequence

from loadtest.quantiles import certification_floor, certified, interval
from loadtest.report_look import E2E, LATENCIES, TIME, TTFO, TTFT, US, Latency, Look
from loadtest.report_reduce import POINTS_MAX, Bins, quantiles, steps, thinned
from loadtest.report_shapes import Axis, Lines, Mark, Panel, Section, Series, Table, Tone, Unit
from loadtest.report_words import NONE, count, duration, share, width
from telemetry.outcome import Flag, Outcome
from telemetry.percentile import P50, P75, P90, P95, P99, P999, Standing, n_min, percentile

SHOWN = (P50, P90, P95, P99)
"""Percentiles of the table on top."""
_ALL = (P50, P75, P90, P95, P99, P999)
_PPM_PER_PERCENT = 10_000
_WIDE_RATIO = 8
_EXACT = "Exact: nearest rank over the rows"


def section(look: Look) -> Section:
    """Return the panels of the latencies."""
    distributions = [distribution(look, latency) for latency in _told_of(look)]
    return Section(
        title="Latency",
        panels=[percentiles(look), *distributions, over_time(look, TTFT), over_time(look, E2E)],
    )


def percentiles(look: Look) -> Panel:
    """Return the table of all percentiles."""
    rows: list[list[str]] = []
    hints: dict[str, str] = {}
    for latency in _told_of(look):
        for failures, who in ((look.failures, "all"), (0, "good answers")):
            if who != "all" and not look.failures:
                continue  # the same
            ordered = look.ordered(latency)
            n = len(ordered) + failures
            for at, p_ppm in enumerate(SHOWN):
                hints[f"{len(rows)}:{at + 3}"] = _hint(latency, ordered, p_ppm, failures, who)
            cells = [_cell(ordered, p_ppm, failures) for p_ppm in SHOWN]
            rows.append([latency.title, who, count(n), *cells, duration(_last(ordered))])
    return Panel(
        id="percentiles",
        title="Percentiles",
        says=_sentence(look),
        table=Table(
            columns=["latency", "requests", "n", *(_name(p_ppm) for p_ppm in SHOWN), "largest"],
            rows=rows,
            figures=[2, 3, 4, 5, 6, 7],
            hints=hints,
        ),
        notes=[
            f"Latency counts from {look.since}. Failures are infinite: a percentile that lands on one fails.",
            f"{_EXACT}. * fewer values than its certification floor: uncertain, see the interval in the tables below.",
        ],
        is_wide=True,
    )


def distribution(look: Look, latency: Latency) -> Panel:
    """Return how a latency is distributed."""
    ordered = look.ordered(latency)
    n = len(ordered) + look.failures
    points = [(us / US, part) for us, part in steps(ordered, look.failures)]
    notes = [f"{latency.title}: {latency.means}."]
    if look.failures and n:
        notes.append(f"The curve ends at {share(len(ordered) / n)}: the other {look.failures} requests failed.")
    if len(ordered) > POINTS_MAX:
        notes.append(
            f"Drawn through {len(points)} of {count(len(ordered))} values, the least and the largest included."
        )
    series = [Series(name="share of requests at most that slow", tone=Tone.A, mark=Mark.STEP, points=[*points])]
    return Panel(
        id=f"spread-{latency.name}",
        title=f"{latency.title}, distribution",
        says=f"{_told(latency, ordered, look.failures)}, n = {count(n)}.",
        chart=Lines(
            x=Axis(label=latency.title, unit=Unit.SECONDS, log=_is_wide(ordered)),
            y=Axis(label="share of requests", unit=Unit.RATIO),
            series=series,
            rules=look.rules(latency, "x"),
        )
        if points
        else None,
        table=Table(
            columns=["percentile", "value", "95 % interval", "certified bound (99 %)", "n", "needed for certainty"],
            rows=[_row(ordered, p_ppm, look.failures) for p_ppm in _ALL],
            figures=[1, 2, 3, 4, 5],
        ),
        notes=notes,
    )


def over_time(look: Look, latency: Latency) -> Panel:
    """Return a latency by planned arrival: single requests, and percentiles of each bin."""
    by = look.wide_bins
    firsts = [row for row in look.rows if row.record.attempt == 1 and row.turn == 1]
    kept = [row for row in firsts if not row.record.flags & Flag.ABORTED_BY_PLAN]  # no failures
    found = sorted(((row.t_sched_us / US, row.record) for row in kept), key=lambda pair: pair[0])
    points = [
        (at_s, latency.of(record) if record.outcome is Outcome.OK else None)
        for at_s, record in found
        if record.outcome is not Outcome.OK or latency.of(record) is not None
    ]
    single = [(at_s, us / US) for at_s, us in points if us is not None]
    dots = thinned(single)
    lines = {p_ppm: quantiles(points, p_ppm, by) for p_ppm in (P50, P95)}
    tops = [at_s for at_s, us in points if us is None]
    span = width(by.width_s)
    notes = [f"A percentile is left out where {span} have too few requests for it: p50 needs 2, p95 needs 20."]
    if len(dots) < len(single):
        notes.append(
            f"{count(len(dots))} of {count(len(single))} requests are drawn: the fastest and the slowest of each part."
        )
    if tops:
        notes.append(f"{count(len(tops))} failed first attempts: {count(len(_some(tops)))} of them at the upper edge.")
    return Panel(
        id=f"time-{latency.name}",
        title=f"{latency.title}, over time",
        says=f"Each request at its planned arrival, and percentiles of every {span}.",
        chart=Lines(
            x=TIME,
            y=Axis(label=latency.title, unit=Unit.SECONDS, log=_is_wide([round(value * US) for _, value in single])),
            series=[
                Series(name="requests", tone=Tone.MUTED, mark=Mark.DOTS, points=[*dots], tops=_some(tops)),
                Series(name="p50", tone=Tone.A, mark=Mark.LINE, points=_seconds(lines[P50])),
                Series(name="p95", tone=Tone.B, mark=Mark.LINE, points=_seconds(lines[P95])),
            ],
            rules=look.rules(latency, "y"),
            shades=look.shades(),
        )
        if points
        else None,
        table=Table(
            columns=["from", "requests", "failed", "p50", "p95"],
            rows=_bins(by, points, lines[P50], lines[P95]),
            figures=[0, 1, 2, 3, 4],
        ),
        notes=notes,
        is_wide=True,
    )


def _told_of(look: Look) -> list[Latency]:
    """Return the latencies that the answers have, and that to the first token; what all share is told once."""
    has = [latency for latency in LATENCIES if latency is TTFT or look.ordered(latency)]
    return [one for one in has if one is not TTFO or any(record.ttfo_us != record.ttft_us for record in look.good)]


def _sentence(look: Look) -> str:
    told = _told(TTFT, look.ordered(TTFT), look.failures)
    n = len(look.counted)
    failed = f", {count(look.failures)} of them failed" if look.failures else ""
    return f"{told}; {count(n)} requests{failed}."


def _told(latency: Latency, ordered: Sequence[int], failures: int) -> str:
    words = [f"{_name(p_ppm)} {_cell(ordered, p_ppm, failures).rstrip(' *')}" for p_ppm in (P50, P99)]
    return f"{latency.title}: {', '.join(words)}"


def _cell(ordered: Sequence[int], p_ppm: int, failures: int) -> str:
    found = percentile(ordered, p_ppm, failures=failures)
    if found.standing is Standing.FAILS:
        return "fails" if found.n else NONE
    if found.value is None:
        return f"{Standing.TOO_FEW.value} ({found.n} < {n_min(p_ppm)})" if found.n else NONE
    return duration(found.value / US) + ("" if found.n >= certification_floor(p_ppm) else " *")


def _hint(latency: Latency, ordered: Sequence[int], p_ppm: int, failures: int, who: str) -> str:
    n = len(ordered) + failures
    ends = interval(ordered, p_ppm, failures=failures)
    return (
        f"{_name(p_ppm)} of {latency.title}: {latency.means}. Population: {who}, n = {n}. {_EXACT}. "
        f"95 % interval {_ends(ends.low, ends.high)}; certified at {certification_floor(p_ppm)} requests or more."
    )


def _row(ordered: Sequence[int], p_ppm: int, failures: int) -> list[str]:
    ends = interval(ordered, p_ppm, failures=failures)
    bound = certified(ordered, p_ppm, failures=failures)
    n = len(ordered) + failures
    return [
        _name(p_ppm),
        _cell(ordered, p_ppm, failures),
        _ends(ends.low, ends.high),
        NONE if bound is None else f"≤ {duration(bound / US)}",
        count(n),
        count(certification_floor(p_ppm)),
    ]


def _ends(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return NONE
    return f"{NONE if low is None else duration(low / US)} to {'no end' if high is None else duration(high / US)}"


def _bins(
    by: Bins,
    points: Sequence[tuple[float, int | None]],
    *lines: Sequence[tuple[float, int | None]],
) -> list[list[str]]:
    n, failed = [0] * by.n, [0] * by.n
    for at_s, us in points:
        n[by.at(at_s)] += 1
        failed[by.at(at_s)] += us is None
    return [
        [
            duration(k * by.width_s),
            count(n[k]),
            count(failed[k]),
            *(duration(line[k][1]) for line in map(_seconds, lines)),
        ]
        for k in range(by.n)
    ]


def _seconds(line: Sequence[tuple[float, int | None]]) -> list[tuple[float, float | None]]:
    return [(at_s, None if us is None else us / US) for at_s, us in line]


def _some(times: Sequence[float]) -> list[float]:
    return [at_s for at_s, _ in thinned([(at_s, at_s) for at_s in times])]


def _is_wide(values: Sequence[int]) -> bool:
    """Return whether values differ so much that equal ratios say more than equal distances."""
    return bool(values) and min(values) > 0 and max(values) > _WIDE_RATIO * min(values)


def _last(ordered: Sequence[int]) -> float | None:
    return ordered[-1] / US if ordered else None


def _name(p_ppm: int) -> str:
    return f"p{p_ppm / _PPM_PER_PERCENT:g}"
