"""Knows how fast pages are over a month of a large fleet: `python -m benchmarks.ui [--quick] [--part NAME ...]`.

A store with 100 million requests of 30 days and 50 endpoints (10 million with `--quick`) is made once, below
`benchmarks/results/ui`, and brought up to the present by each run; `benchmarks.ui_world` says what it then holds.

| part | what is measured |
|---|---|
| fill | nothing: the store is made |
| panels | the answer of each panel over HTTP, on demo data and on the large store; `--before DIR`: of a checkout too |
| viewers | processor time, memory, statements of server and store while 0, 1, 10, 50 tabs follow the first page |
| browser | first paint of the first page, processor time of a live page, a touch on an endpoint's (`--before`: too) |

`--watch-vllm SECONDS` measures something else and nothing of that: a real vLLM, watched (`benchmarks.ui_watch`). The
figures go to `benchmarks/results/ui/figures.json` too.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median

from benchmarks import ui_browser, ui_panels, ui_viewers, ui_watch, ui_world
from benchmarks.harness import Answer, Figure, as_json, table
from benchmarks.ui_panels import Seen
from benchmarks.ui_site import ROOT, Site, sites, store_of
from benchmarks.ui_world import DEMO, FOLDER, FULL, QUICK, Fleet
from telemetry.queries.question import Question
from telemetry.testing.store_process import StoreProcess

PARTS = ("fill", "panels", "viewers", "browser")
FIRST_PAINT_MS, LIVE_CORES, TOUCH_MS, DEMO_MS, STOP_MS = 1_000.0, 0.05, 100.0, 300.0, 5_000.0
"""Targets: first chart, a live page, a touch, a panel on demo data, any panel (spec/ui.md 2)."""
DEMO_S, LARGE_S = (900, 3_600), (900, 86_400, 30 * 86_400)
"""Lengths of time that panels are asked for."""
TABS = (0, 1, 10, 50)
WORST = 10
_HOLDS = """\
SELECT table, sum(rows) AS n, sum(bytes_on_disk) AS bytes
FROM system.parts
WHERE active AND database = 'inferometer' AND rows > 0
GROUP BY table
ORDER BY n DESC"""


class Told:
    """What was measured so far."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.figures: list[Figure] = []
        self.ratios: dict[str, float | Sequence[str] | None] = {}
        self.setting: dict[str, object] = {}

    def say(self, name: str, value: float | None, unit: str, note: str = "") -> None:
        """Add a figure, and show it at once."""
        one = Figure(name=name, value=value, unit=unit, note=note)
        self.figures.append(one)
        print(f"{name}: {'n/a' if value is None else f'{value:,.1f}'} {unit} {note}".rstrip(), file=sys.stderr)


def measure(options: argparse.Namespace) -> Answer:
    """Measure the parts that are asked for."""
    told, large = Told(), QUICK if options.quick else FULL
    made = {fleet.name: ui_world.filled(fleet) for fleet in (DEMO, large)}
    told.setting = {"requests ever stored": made, "parts": options.part}
    roots = [ROOT, *([options.before] if options.before else [])]
    for fleet in (DEMO, large):
        with store_of(fleet) as store, closing(store.store("reader")) as reader:
            rows = reader.query(Question(sql=_HOLDS))
            told.setting[f"rows, {fleet.name}"] = {str(row["table"]): int(str(row["n"])) for row in rows}
            told.setting[f"bytes, {fleet.name}"] = sum(int(str(row["bytes"])) for row in rows)
            if set(options.part) == {"fill"}:
                continue
            with sites(store, *roots) as served:
                if "panels" in options.part:
                    _panels(told, fleet, served, options)
                if fleet is large and "viewers" in options.part:
                    _viewers(told, served[0], store, is_quick=options.quick)
                if fleet is large and "browser" in options.part:
                    _browser(told, served, is_quick=options.quick)
    return Answer(benchmark="ui", figures=told.figures, ratios=told.ratios, setting=told.setting)


def _panels(told: Told, fleet: Fleet, served: Sequence[Site], options: argparse.Namespace) -> None:
    is_demo = fleet is DEMO
    times = options.times or (20 if is_demo else 7) // (2 if options.quick else 1)
    seen = ui_panels.asked(served, DEMO_S if is_demo else LARGE_S, times, options.only)
    worst = sorted(seen, key=lambda one: -one.p95_ms())
    for one in worst if options.only else worst[:WORST]:
        note = f"{fleet.name}, {_length(one.length_s)}, median {one.median_ms():.0f} ms, {one.rows} rows, {one.state}"
        if len(served) > 1:
            note += f"; before: p95 {one.p95_ms(1):.0f} ms, median {one.median_ms(1):.0f} ms"
        told.say(f"p95 of {one.panel}", one.p95_ms(), "ms", note)
    told.say("median of all panels' medians", median(one.median_ms() for one in seen), "ms", fleet.name)
    bad = [f"{one.panel} ({one.state})" for one in seen if one.state in ui_panels.NOT_ANSWERED]
    told.ratios[f"panels without an answer, {fleet.name}"] = bad
    limit = DEMO_MS if is_demo else STOP_MS
    told.ratios[f"worst_p95_vs_{limit:.0f}_ms, {fleet.name}"] = worst[0].p95_ms() / limit
    if len(served) > 1:
        told.ratios[f"after_to_before, {fleet.name}"] = median(_gain(one) for one in seen)


def _gain(one: Seen) -> float:
    return one.median_ms(0) / one.median_ms(1)


def _length(seconds: int) -> str:
    return f"{seconds // 86_400} d" if seconds >= 86_400 else f"{seconds // 60} min"


def _viewers(told: Told, site: Site, store: StoreProcess, *, is_quick: bool) -> None:
    with closing(store.store("reader")) as reader:
        all_spent = ui_viewers.spent(site, store, reader, TABS, 10.0 if is_quick else 20.0)
    idle = all_spent[0]
    for one in all_spent:
        note = f"{one.tabs} tabs"
        told.say("server", one.serve_ratio, "cores", note)
        told.say("store", one.store_ratio, "cores", note)
        told.say("memory of the server", one.serve_mib, "MiB", note)
        told.say("statements", one.statements_per_s, "1/s", note)
        told.say("events of one tab", one.events_per_s, "1/s", f"{note}, {one.bytes_per_s / 1000:.0f} kB/s")
    first, last = all_spent[1], all_spent[-1]
    each = (last.serve_ratio - first.serve_ratio) / (last.tabs - first.tabs)
    told.say("server, each further tab", each, "cores")
    asked = [one.statements_per_s - idle.statements_per_s for one in (first, last)]
    told.ratios["statements_50_tabs_to_1"] = asked[1] / asked[0] if asked[0] else None
    told.ratios["server_cores_per_tab"] = each


def _browser(told: Told, served: Sequence[Site], *, is_quick: bool) -> None:
    site = served[0]
    with ui_browser.browsing() as browser:
        times = 4 if is_quick else 10
        for name, seen in zip(("cold", "warm"), ui_browser.loads(browser, site, times), strict=True):
            told.say("first chart", median(seen.chart_ms), "ms", f"{name}, worst {max(seen.chart_ms):.0f}")
            told.say("every panel", median(seen.all_ms), "ms", f"{name}, worst {max(seen.all_ms):.0f}")
            told.ratios[f"first_chart_vs_1_s, {name}"] = median(seen.chart_ms) / FIRST_PAINT_MS
        seconds = 15.0 if is_quick else 60.0
        empty = ui_browser.lived(browser, "about:blank", 5.0)
        live = ui_browser.lived(browser, f"{site.url}/ui/?from=now-15m", seconds)
        kinds = ", ".join(f"{kind} {cores:.3f}" for kind, cores in sorted(live.by.items(), key=lambda one: -one[1]))
        told.say("live page at 1 Hz", live.cores * 100, "% of a core", f"{kinds}; an empty page {empty.cores:.3f}")
        told.say("memory of the browser", live.mib, "MiB")
        told.ratios["live_page_vs_5_percent"] = live.cores / LIVE_CORES
        for name, one in zip(("", "before "), served, strict=False):
            touch = ui_browser.touched(browser, one, 40 if is_quick else 200)
            _touched(told, name, touch)


def _touched(told: Told, name: str, touch: ui_browser.Touched) -> None:
    note = f"{touch.series} series in {touch.charts} charts"
    moves = sorted(touch.move_ms)
    p95_ms = moves[int(len(moves) * 0.95)]
    told.say(f"{name}pointer to the next frame", median(moves), "ms", f"{note}, p95 {p95_ms:.0f}")
    told.say(f"{name}zoom to the next frame", median(touch.zoom_ms), "ms", f"worst {max(touch.zoom_ms):.0f}")
    told.ratios[f"{name}pointer_vs_100_ms"] = p95_ms / TOUCH_MS
    told.ratios[f"{name}zoom_vs_100_ms"] = max(touch.zoom_ms) / TOUCH_MS


def _watched(seconds: float) -> Answer:
    """Watch a real vLLM."""
    told = Told()
    for figure in ui_watch.watch(seconds):
        told.say(*figure)
    return Answer(benchmark="ui", figures=told.figures, ratios={}, setting={"watched for": f"{seconds:.0f} s"})


def main() -> None:
    """Read the command line, measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ui")
    parser.add_argument("--quick", action="store_true", help="10 million requests, shorter looks")
    parser.add_argument("--part", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure")
    parser.add_argument("--only", nargs="*", default=[], help="ids of panels")
    parser.add_argument(
        "--times", type=int, help="answers of each panel and length; by default 20, of the large store 7"
    )
    parser.add_argument("--before", type=Path, help="checkout of an earlier version, asked in turns")
    parser.add_argument("--watch-vllm", type=float, metavar="SECONDS", help="watch a real vLLM for so long instead")
    parser.add_argument("--output", choices=("table", "json"), default="table")
    options = parser.parse_args()
    answer = _watched(options.watch_vllm) if options.watch_vllm else measure(options)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "figures.json").write_text(as_json(answer))
    print(as_json(answer) if options.output == "json" else table(answer))


if __name__ == "__main__":
    main()
