"""Knows the panels about the telemetry itself: can these pages be trusted; refuses to know other pages.

Source: spec/ui.md 5 (tel.*).
"""

from dashboards.asks_telemetry import conservation, lag, overhead, sources
from dashboards.columns import TIME, detail, instant, key, number, numbers
from telemetry.panel import Column, Kind, Page, Panel, Reads, Unit
from telemetry.percentile import P50, P99


def _percentiles(stem: str = "") -> tuple[Column, ...]:
    return tuple(
        Column(name=f"{stem}{name}", unit=Unit.SECONDS, ppm=ppm, largest="max" if not stem else "")
        for name, ppm in (("p50", P50), ("p99", P99))
    )


TELEMETRY = (
    Panel(
        id="tel.conservation",
        title="Where the records are",
        page=Page.TELEMETRY,
        question="Was anything lost?",
        unit=Unit.RECORDS,
        kind=Kind.TABLE,
        columns=(
            key("collector"),
            *numbers(Unit.RECORDS, "accepted", "stored", "spooled", "dropped", "dlq", "residue"),
            detail("why"),
            *numbers(Unit.COUNT, "frames_dropped", "unparsed_conns"),
        ),
        meaning="Accepted is stored, spooled, dropped and set aside; the residue of a boot must be 0.",
        action="A residue: make a report of it, for records are missing.",
        reads=Reads.HEARTBEATS,
        ask=conservation,
    ),
    Panel(
        id="tel.lag",
        title="From measured to shown",
        page=Page.TELEMETRY,
        question="How fresh are these pages?",
        unit=Unit.SECONDS,
        kind=Kind.LINE,
        columns=(TIME, *_percentiles(), number("spooled", Unit.RECORDS)),
        meaning="From the end of a request until it could be asked for, and the records that wait on disk.",
        action="Look at the store, then at the disk.",
        reads=Reads.HEARTBEATS,
        ask=lag,
        has_steps=True,
    ),
    Panel(
        id="tel.overhead",
        title="What measuring costs",
        page=Page.TELEMETRY,
        question="Does the telemetry hurt users?",
        unit=Unit.SECONDS,
        kind=Kind.LINE,
        columns=(
            TIME,
            *_percentiles("added_"),
            number("loop_lag", Unit.SECONDS),
            number("frames_dropped_per_s", Unit.PER_S),
            number("cpu", Unit.COUNT),
            number("rss", Unit.BYTES),
        ),
        meaning="Delay that the tee added, frames lost between tee and observer, cores and memory of the observers.",
        action="Over the budget: bypass the tee, and tell us.",
        reads=Reads.HEARTBEATS,
        ask=overhead,
        has_steps=True,
    ),
    Panel(
        id="tel.sources",
        title="Who is heard",
        page=Page.TELEMETRY,
        question="Who is silent?",
        unit=Unit.SECONDS,
        kind=Kind.TABLE,
        columns=(
            key("kind"),
            key("source"),
            instant("last_seen"),
            number("silent", Unit.SECONDS),
            number("samples", Unit.COUNT),
            number("up", Unit.RATIO),
            number("clock_offset", Unit.SECONDS),
        ),
        meaning="Collectors, engines, GPUs and probes of the time, the longest silent first.",
        action="Run inferometer doctor for the first one.",
        reads=Reads.HEARTBEATS,
        ask=sources,
    ),
)
