"""Knows what every panel of a run looks at: its report, its rows, its objectives, its time axis; refuses to show any.

Source: spec/loadtest.md 6 (population), 18 (`report.json`); spec/ui.md 4 (outcome groups).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from loadtest.gate_rows import population
from loadtest.plan_spec import Objectives
from loadtest.report_reduce import BINS_MAX, Bins, bins
from loadtest.report_shapes import Axis, Rule, Shade, Tone, Unit
from loadtest.rows import Row
from telemetry.outcome import Outcome
from telemetry.record import RequestRecord

US, NS = 1e6, 1e9
REQUESTS_PER_BIN = 40
"""Twice what a p95 needs, since arrivals are uneven."""
BINS_LEAST = 6
"""Bins of a time axis, however few requests there are."""

GROUPS: dict[Tone, tuple[str, tuple[Outcome, ...]]] = {
    Tone.GOOD: ("good", (Outcome.OK,)),
    Tone.EXCLUDED: (
        "client fault",
        (Outcome.INVALID_REQUEST, Outcome.CONTEXT_LENGTH, Outcome.AUTH, Outcome.NOT_FOUND, Outcome.CONTENT_FILTERED),
    ),
    Tone.THROTTLED: ("throttled", (Outcome.RATE_LIMITED, Outcome.QUOTA_EXHAUSTED, Outcome.OVERLOADED)),
    Tone.UNREACHABLE: ("unreachable", (Outcome.CONNECT_ERROR, Outcome.UNAVAILABLE)),
    Tone.SLOW: ("timed out", (Outcome.TIMEOUT_FIRST_TOKEN, Outcome.TIMEOUT_STREAM)),
    Tone.BROKEN: ("broken stream", (Outcome.STREAM_ERROR, Outcome.STREAM_TRUNCATED, Outcome.BAD_OUTPUT)),
    Tone.FAULT: ("engine fault", (Outcome.ENGINE_DEAD, Outcome.OOM, Outcome.SERVER_ERROR)),
    Tone.GAVE_UP: ("gave up", (Outcome.CLIENT_CANCELLED,)),
    Tone.UNOBSERVED: ("not observed", (Outcome.UNOBSERVED,)),
    Tone.CLIENT: ("shed by the client", (Outcome.CLIENT_LIMIT,)),
}
"""Outcomes as they are shown together: the good ones first."""
TONE = {outcome: tone for tone, (_, outcomes) in GROUPS.items() for outcome in outcomes}
TIME = Axis(label="planned arrival", unit=Unit.SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """One latency.

    Attributes:
        name: As in `report.json`.
        title: For people.
        of: Its value of a record, microseconds; None if it has none.
        limit: Its objective.
        means: From what to what; a request is due at its planned arrival, in a closed loop behind the answer before.
    """

    name: str
    title: str
    of: Callable[[RequestRecord], int | None]
    limit: Callable[[Objectives], float | None]
    means: str


TTFT = Latency(
    name="ttft",
    title="Time to first token",
    of=lambda record: record.ttft_us,
    limit=lambda limits: limits.ttft_s,
    means="from the request being due to the first output event",
)
E2E = Latency(
    name="e2e",
    title="End to end",
    of=lambda record: record.e2e_us,
    limit=lambda limits: limits.e2e_s,
    means="from the request being due to the finish event",
)
TPOT = Latency(
    name="tpot",
    title="Time per output token",
    of=lambda record: record.tpot_us,
    limit=lambda limits: limits.tpot_s,
    means="from the first to the last token, over the tokens behind the first event",
)
GAP = Latency(
    name="max_gap",
    title="Longest gap of an answer",
    of=lambda record: record.icl_max_us,
    limit=lambda limits: limits.gap_s,
    means="the longest wait between two arrivals of output within one answer",
)
TTFO = Latency(
    name="ttfo",
    title="Time to first visible output",
    of=lambda record: record.ttfo_us,
    limit=lambda _: None,
    means="from the request being due to the first output that a reader can see",
)
LATENCIES = (TTFT, TTFO, TPOT, GAP, E2E)
"""In the order of the report."""


@dataclass(frozen=True, kw_only=True)  # without slots: cached properties need a dict
class Look:
    """A run, as its panels look at it.

    Attributes:
        report: `report.json`.
        rows: Every attempt.
        limits: Objectives of each workload class.
    """

    report: Mapping[str, Any]
    rows: Sequence[Row]
    limits: Mapping[str, Objectives]

    @cached_property
    def counted(self) -> list[Row]:
        """The population: arrivals of the measured part by their last attempt."""
        return population(self.rows)

    @cached_property
    def good(self) -> list[RequestRecord]:
        """Records of those that ended well."""
        return [row.record for row in self.counted if row.record.outcome is Outcome.OK]

    @property
    def failures(self) -> int:
        """How many did not."""
        return len(self.counted) - len(self.good)

    @cached_property
    def end_s(self) -> float:
        """End of the time axis: the last planned arrival, or the end of the measured part if that is later."""
        last_us = max((row.t_sched_us for row in self.rows), default=0)
        return max(last_us / US, self.window_s[1], 1e-3)

    @property
    def since(self) -> str:
        """From when latency counts."""
        return "the end of the answer before" if self.report["loop"] == "closed" else "the planned arrival"

    @property
    def window_s(self) -> tuple[float, float]:
        """Beginning and end of the measured part."""
        first_ns, until_ns = self.report["population"]["window_ns"]
        return first_ns / NS, until_ns / NS

    @cached_property
    def bins(self) -> Bins:
        """Of the time axis."""
        return bins(self.end_s)

    @cached_property
    def wide_bins(self) -> Bins:
        """Of a time axis whose bins mostly have enough requests for a p95."""
        return bins(self.end_s, min(max(len(self.rows) // REQUESTS_PER_BIN, BINS_LEAST), BINS_MAX))

    def ordered(self, latency: Latency) -> list[int]:
        """Return a latency of the good answers, ascending, microseconds; the list is shared."""
        return self._ordered[latency.name]

    def rules(self, latency: Latency, axis: str) -> list[Rule]:
        """Return its objectives, as lines across a chart."""
        told = {name: latency.limit(limits) for name, limits in self.limits.items()}
        return [
            Rule(axis=axis, at=limit_s, label="objective" if len(told) == 1 else f"objective of {name}")
            for name, limit_s in told.items()
            if limit_s is not None
        ]

    @cached_property
    def _ordered(self) -> dict[str, list[int]]:
        return {one.name: sorted(us for record in self.good if (us := one.of(record)) is not None) for one in LATENCIES}

    def shades(self) -> list[Shade]:
        """Return the parts of the run that do not count."""
        first_s, until_s = self.window_s
        edges = ((0.0, first_s, "warm-up, not counted"), (until_s, self.end_s, "cool-down, not counted"))
        return [Shade(first=first, until=until, label=label) for first, until, label in edges if until - first > 1e-3]  # noqa: PLR2004 -- shorter is rounding
