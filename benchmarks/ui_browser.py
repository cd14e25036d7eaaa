"""Knows what a page costs the browser it is shown in: until it shows something, while it is live, when it is touched.

The browser is the distribution's Chromium without a screen and without a GPU, so every pixel is drawn by the processor
and counted here; with a GPU some of it would not be. First paint is from the start of the navigation to the frame in
which a chart stands with data in it. A touch is from the event to the end of the frame that follows it.

Source: HTML, "update the rendering": what `requestAnimationFrame` calls back runs before the frame is drawn, and the
next task runs after it.
"""

import os
import shutil
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page

from benchmarks.chromium import chromium
from benchmarks.processes import cpu_s, descendants, rss_bytes
from benchmarks.ui_site import Site
from telemetry.clock import monotonic_ns

SIZE = (1440, 900)
_WAIT_MS = 30_000
PAINT = """
window.seen = {};
const look = () => {
  const all = [...document.querySelectorAll("[data-panel]")];
  const drawn = all.filter((one) => one.querySelector("canvas") && ["ok", "partial"].includes(one.dataset.state));
  if (drawn.length && !window.seen.chart) after("chart");
  if (all.length > 5 && all.every((one) => one.dataset.state !== "loading") && !window.seen.all) after("all");
  if (!window.seen.all) requestAnimationFrame(look);
};
const after = (name) => {
  window.seen[name] = -1;
  setTimeout(() => { window.seen[name] = performance.now(); });
};
requestAnimationFrame(look);
"""
_TOUCH = """
window.touched = [];
const channel = new MessageChannel();
const waiting = [];
channel.port1.onmessage = () => {
  const at = performance.now();
  for (const was of waiting.splice(0)) window.touched.push(at - was);
};
for (const name of ["mousemove", "keydown"]) {
  addEventListener(name, () => {
    const at = performance.now();
    requestAnimationFrame(() => { waiting.push(at); channel.port2.postMessage(0); });
  }, true);
}
"""
_SEEN = "window.seen && window.seen.all > 0 && window.seen"
_SERIES = """
[...document.querySelectorAll(".stage")].flatMap((one) => (one.chart ? one.chart.series.slice(1) : [])).length
"""
_STAGES = "[...document.querySelectorAll('.stage')].filter((one) => one.chart).length"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loads:
    """How long pages took to show something.

    Attributes:
        chart_ms: To the first chart with data, of each load.
        all_ms: Until no panel waits any more.
    """

    chart_ms: Sequence[float]
    all_ms: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """What a live page used.

    Attributes:
        cores: Processor time over time, all processes of the browser.
        by: The same by kind of process.
        mib: Resident memory of all of them, shared pages counted in each.
        seconds: How long.
    """

    cores: float
    by: dict[str, float]
    mib: float
    seconds: float


class Clock:
    """What all processes of the browser use from now on."""

    def __init__(self) -> None:
        """Begin to count."""
        self._before = {pid: cpu_s(pid) for pid, _ in _processes()}
        self._started_ns = monotonic_ns()

    def lived(self) -> Lived:
        """Return what they used."""
        elapsed_s = (monotonic_ns() - self._started_ns) / 1e9
        by: dict[str, float] = {}
        mib = 0.0
        for pid, kind in _processes():
            with suppress(OSError):
                by[kind] = by.get(kind, 0.0) + (cpu_s(pid) - self._before.get(pid, 0.0)) / elapsed_s
                mib += rss_bytes(pid) / (1 << 20)
        return Lived(cores=sum(by.values()), by=by, mib=mib, seconds=elapsed_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """How soon a page followed a touch.

    Attributes:
        series: Series in them, bands and points among them.
        charts: Charts on it.
        move_ms: Of each move of the pointer over a chart.
        zoom_ms: Of each zoom by key, up to the next frame; the new numbers come later.
    """

    series: int
    charts: int
    move_ms: Sequence[float]
    zoom_ms: Sequence[float]


@contextmanager
def browsing() -> Generator[Browser]:
    """Run a browser.

    Raises:
        SystemExit: There is none.
    """
    path = shutil.which("chromium")
    if path is None:
        raise SystemExit("ui: no chromium here (Debian has it)")
    with chromium(path) as browser:
        yield browser


def loads(browser: Browser, site: Site, times: int) -> tuple[Loads, Loads]:
    """Return how long the first page takes in a browser that never saw it, and in one that did."""
    cold: list[dict[str, float]] = []
    for _ in range(times):
        with opened(browser, PAINT) as page:
            cold.append(_painted(page, site))
    with opened(browser, PAINT) as page:
        _painted(page, site)
        warm = [_painted(page, site) for _ in range(times)]
    return _loads(cold), _loads(warm)


def lived(browser: Browser, url: str, seconds: float) -> Lived:
    """Return what a page uses while it lies open and follows the clock."""
    with opened(browser, PAINT) as page:
        page.goto(url)
        if not url.startswith("about:"):
            until(page, _SEEN)
        page.wait_for_timeout(3_000)
        clock = Clock()
        page.wait_for_timeout(seconds * 1_000)
        return clock.lived()


def touched(browser: Browser, site: Site, times: int) -> Touched:
    """Return how soon the page of an endpoint follows the pointer and the keys."""
    with opened(browser, PAINT + _TOUCH) as page:
        page.goto(f"{site.url}/ui/endpoints/endpoint-00?from=now-15m&compare=-1d")  # every line twice
        until(page, _SEEN)
        page.wait_for_timeout(2_000)
        series, charts = page.evaluate(_SERIES), page.evaluate(_STAGES)
        stage = page.locator(".stage").first
        stage.scroll_into_view_if_needed()
        box = stage.bounding_box()
        if box is None:
            raise SystemExit("ui: no chart on the page of an endpoint")
        for n in range(times):
            at = box["x"] + box["width"] * (0.2 + 0.6 * ((n * 7) % times) / times)
            page.mouse.move(at, box["y"] + box["height"] / 2)
            page.wait_for_timeout(40)
        moves: list[float] = page.evaluate("window.touched")
        page.evaluate("window.touched = []; document.activeElement?.blur()")
        for n in range(max(times // 10, 2)):
            page.keyboard.press("-" if n % 2 else "+")
            page.wait_for_timeout(1_000)
        zooms: list[float] = page.evaluate("window.touched")
    return Touched(series=series, charts=charts, move_ms=moves, zoom_ms=zooms)


@contextmanager
def opened(browser: Browser, script: str) -> Generator[Page]:
    """Open an empty page whose documents run a script first."""
    width, height = SIZE
    context: BrowserContext = browser.new_context(viewport={"width": width, "height": height})
    try:
        context.add_init_script(script)
        yield context.new_page()
    finally:
        context.close()


def _painted(page: Page, site: Site) -> dict[str, float]:
    page.goto(f"{site.url}/ui/")
    found: dict[str, float] = until(page, _SEEN)
    return found


def until(page: Page, holds: str) -> dict[str, float]:
    """Wait until an expression is true on the page, and return it; the page's policy forbids `eval` in it."""
    end_ns = monotonic_ns() + _WAIT_MS * 1_000_000
    found: dict[str, float] = {}
    while not (found := page.evaluate(holds)):
        if monotonic_ns() > end_ns:
            raise SystemExit(f"ui: the page shows nothing within {_WAIT_MS} ms")
        page.wait_for_timeout(20)
    return found


def _loads(seen: Sequence[dict[str, float]]) -> Loads:
    return Loads(chart_ms=[one["chart"] for one in seen], all_ms=[one["all"] for one in seen])


def _processes() -> Iterator[tuple[int, str]]:
    """Give the processes of the browser, which descend from this one, and their kinds."""
    for pid in descendants(os.getpid()):
        with suppress(OSError):
            # Some of them write their own line anew, with blanks between the words.
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ").split()
            if words and "chrom" in words[0]:
                kinds = [word.removeprefix("--type=") for word in words if word.startswith("--type=")]
                yield pid, kinds[0] if kinds else "browser"
