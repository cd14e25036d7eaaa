"""Measures how soon and how rightly a service that fails is told of: ours, the workbook's windows, a static threshold.

    python -m benchmarks.detection [--quick] [--output table|json]

Made-up services (`benchmarks.detection_traffic`), every request judged by the composite objective at 99 %. Each
incident has a day before it, and each is seen by every watcher (`benchmarks.detection_rules`) at the same instants. It
is found if a page stands between its start and ten minutes after its end. Quiet hours hold no incident: each page that
begins in them is false, although replicas restart in them.

`ours` is the engine as it runs: the rules of the objective, and the built-in rules beside them.
`recall_minus_workbook` is the least difference over all classes, of pages and of tickets and pages together. The delays
to compare are medians over the incidents that a watcher found; of a class in which it found none there is no delay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.detection_rules import HOLD_S, Said, Spans, watchers
from benchmarks.detection_traffic import DAY_S, DURATION_S, HOUR_S, Fault, Scenario, Shape, ended
from benchmarks.harness import Answer, Figure, main

WATCHERS = ("ours", "workbook", "static")
SHAPES = (Shape.STEADY, Shape.DIURNAL, Shape.BURSTY)
AFTER_S = 600
QUIET_SEED = 2_026_000
WEEK_H = 168


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the watchers made of one incident.

    Attributes:
        fault: What was wrong.
        pages: Watcher to seconds until a page stood; None if none did.
        all: The same of tickets and pages.
    """

    fault: Fault
    pages: dict[str, int | None]
    all: dict[str, int | None]


def incidents(each: int) -> list[Seen]:
    """Return what was seen of `each` incidents of every class."""
    return [_seen(fault, n) for fault in Fault for n in range(each)]


def quiet(hours: int) -> dict[Shape, dict[str, Said]]:
    """Return what was said in so many quiet hours of every shape, after a day that nobody looks at."""
    found: dict[Shape, dict[str, Said]] = {}
    for n, shape in enumerate(Shape):
        history = ended(Scenario(shape=shape, seed=QUIET_SEED + n, length_s=DAY_S + hours * HOUR_S))
        found[shape] = watchers(history, DAY_S)
    return found


def measure(quick: bool) -> Answer:  # noqa: FBT001 -- as the harness calls it
    """Measure."""
    each, hours = (4, 25) if quick else (25, 1_000)
    seen, calm = incidents(each), quiet(hours)
    figures = [figure for fault in Fault for figure in _figures(fault, [one for one in seen if one.fault is fault])]
    false = {name: [len(calm[shape][name].pages) for shape in Shape] for name in WATCHERS}
    for name in WATCHERS:
        for shape, n in zip(Shape, false[name], strict=True):
            figures.append(Figure(name=f"false pages, {shape}: {name}", value=n * WEEK_H / hours, unit="a week"))
    ratios = _ratios(seen, max(false["ours"]) * 1_000 / hours)
    ratios["false_pages_per_1000_quiet_hours_workbook"] = max(false["workbook"]) * 1_000 / hours
    setting = {"incidents": len(seen), "quiet_hours": hours * len(Shape), "shapes": len(Shape), "target": "99 %"}
    return Answer(benchmark="detection", figures=figures, ratios=ratios, setting=setting)


def _ratios(seen: Sequence[Seen], false_pages: float) -> dict[str, float | None]:
    return {
        "outage_delay_p50_vs_workbook": _delay_ratio(seen, Fault.OUTAGE),
        "latency_x3_delay_p50_vs_workbook": _delay_ratio(seen, Fault.TTFT_3),
        "recall_minus_workbook": min(_recall_gain(seen, fault) for fault in Fault),
        "false_pages_per_1000_quiet_hours": false_pages,
    }


def _seen(fault: Fault, n: int) -> Seen:
    shape = Shape.LOW if fault is Fault.QUIET else SHAPES[n % len(SHAPES)]
    fault_s, length_s = DAY_S, DAY_S + DURATION_S[fault] + AFTER_S
    seed = 10_000 * list(Fault).index(fault) + n
    history = ended(Scenario(shape=shape, seed=seed, length_s=length_s, fault=fault, fault_s=fault_s))
    said = watchers(history, fault_s)
    return Seen(
        fault=fault,
        pages={name: _delay_s(one.pages, fault_s) for name, one in said.items()},
        all={name: _delay_s(one.all, fault_s) for name, one in said.items()},
    )


def _delay_s(spans: Spans, fault_s: int) -> int | None:
    """Return how long it took until an alert stood: one that is only held since before does not count."""
    standing = [max(start_s, fault_s) for start_s, end_s in spans if end_s > fault_s + HOLD_S]
    return min(standing) - fault_s if standing else None


def _figures(fault: Fault, seen: Sequence[Seen]) -> list[Figure]:
    found: list[Figure] = []
    for name in WATCHERS:
        delays = sorted(delay for one in seen if (delay := one.pages[name]) is not None)
        tickets = sum(one.all[name] is not None for one in seen) / len(seen)
        note = f"{tickets:.2f} with tickets"
        if delays:
            p95 = delays[min(len(delays) - 1, -(-len(delays) * 95 // 100) - 1)]
            note = f"after {median(delays):.0f} s p50, {p95} s p95; {note}"
        found.append(Figure(name=f"recall, {fault}: {name}", value=len(delays) / len(seen), unit="", note=note))
    return found


def _recall_gain(seen: Sequence[Seen], fault: Fault) -> float:
    """Return by how much more of a class we find than the workbook, by pages or by tickets too, the lesser."""
    own = [one for one in seen if one.fault is fault]
    gains = [
        sum((of["ours"] is not None) - (of["workbook"] is not None) for of in found)
        for found in ([one.pages for one in own], [one.all for one in own])
    ]
    return min(gains) / len(own)


def _delay_ratio(seen: Sequence[Seen], fault: Fault) -> float | None:
    ours, theirs = (
        [delay for one in seen if one.fault is fault and (delay := one.pages[whose]) is not None]
        for whose in ("ours", "workbook")
    )
    return median(ours) / median(theirs) if ours and theirs else None


if __name__ == "__main__":
    main("detection", measure)
