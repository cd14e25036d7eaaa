"""Knows whether a run may speak of the server: what its client must have kept to; refuses to know how it was measured.

A run that cannot prove its own fitness yields no verdict. Each check says what it found, what was allowed, and whether
it is held, broken, or cannot be told. One broken check makes the run unfit, whatever the server did; one that cannot be
told leaves it unproven.

Source: spec/loadtest.md 5 (table), 1 (unfit outranks failed).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from loadtest.sketch import quantile_us

LAG_P99_US_MAX = 5_000
"""Dispatch lag, 99th percentile."""
LAG_P50_US_MAX = 1_000
"""Dispatch lag, median, or `LAG_TTFT_RATIO_MAX` of the median TTFT if that is more."""
LAG_TTFT_RATIO_MAX = 0.02
"""Dispatch lag, median, as share of the median TTFT."""
READ_P99_US_MAX = 2_000
"""Read lag against the kernel's stamp, 99th percentile."""
CPU_RATIO_MAX = 0.7
"""Share of a core that a worker used, 5 s mean."""
CEILING_RATIO_MAX = 0.5
"""Share of the calibrated ceiling of chunks a second that a worker was given."""
UNCALIBRATED_CHUNKS_PER_S_MAX = 2_000.0
"""Without a calibration so many chunks a second and worker are far below any ceiling that was seen (spec 4: 87,000)."""
CLOCK_STEP_MS_MAX = 5.0
"""Step of the wall clock against the monotonic one."""
LITTLE_RATIO_MAX = 0.05
"""Difference between the requests in flight and rate x time, as share of the first."""
LITTLE_S_MAX = 0.002
"""The same, seconds of each request: what starting and noting it may take beside it."""


class State(StrEnum):
    """What a check found."""

    HELD = "held"
    BROKEN = "broken"
    UNKNOWN = "unknown"


class Fit(StrEnum):
    """Whether a run may speak; VOID is the environment's doing, not the client's."""

    FIT = "fit"
    UNPROVEN = "unproven"
    UNFIT = "unfit"
    VOID = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What is known of the client of one run; arrivals are those of the measured window, the rest is of the run.

    Attributes:
        planned: Arrivals that were due.
        sent: Arrivals that were begun.
        workers_lost: Workers that did not come to the end.
        shed: Arrivals that the cap, or a bound of the machine, turned away.
        lag_us: Sketch of the dispatch lag.
        ttft_us: Sketch of the time to first token, from the plan.
        read_us: Sketch of the read lag; empty where the kernel gave no stamps.
        cpu_ratio: Largest 5 s mean of a worker's CPU, share of a core; None below 5 s.
        chunks_per_s: Largest rate of a worker's reads; None without any.
        ceiling_chunks_per_s: What a worker of this host and version can take; None if never measured.
        clock_step_ms: Largest step of the wall clock.
        in_flight_s: Time integral of the requests in flight, request-seconds.
        elapsed_s: Sum of the durations of all requests.
        ended: How many they are.
        capped: What ended the run early to save the machine; empty if nothing did.
    """

    planned: int
    sent: int
    workers_lost: int
    shed: int
    lag_us: Mapping[int, int]
    ttft_us: Mapping[int, int]
    read_us: Mapping[int, int]
    cpu_ratio: float | None
    chunks_per_s: float | None
    ceiling_chunks_per_s: float | None
    clock_step_ms: float
    in_flight_s: float
    elapsed_s: float
    ended: int
    capped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One line of the proof.

    Attributes:
        name: Of the check.
        state: What it found.
        found: In words, with unit.
        allowed: In words, with unit.
    """

    name: str
    state: State
    found: str
    allowed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitness:
    """The proof: broken checks stand first."""

    fit: Fit
    checks: tuple[Check, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The broken checks, or else those that cannot be told, in words."""
        worst = State.BROKEN if self.fit is Fit.UNFIT else State.UNKNOWN
        return tuple(
            f"{check.name}: {check.found}, allowed: {check.allowed}" for check in self.checks if check.state is worst
        )


def judged(client: Client) -> Fitness:
    """Judge the client of a run."""
    checks = (
        _plan(client),
        _held("shed", client.shed == 0, f"{client.shed} arrivals", "0"),
        _lag_p99(client),
        _lag_p50(client),
        _read(client),
        _cpu(client),
        _ceiling(client),
        _held(
            "clock",
            client.clock_step_ms <= CLOCK_STEP_MS_MAX,
            f"step of {client.clock_step_ms:.1f} ms",
            f"{CLOCK_STEP_MS_MAX:.0f} ms",
        ),
        _little(client),
        _held("bounds", not client.capped, client.capped or "kept", "kept"),
    )
    states = {check.state for check in checks}
    fit = Fit.UNFIT if State.BROKEN in states else Fit.UNPROVEN if State.UNKNOWN in states else Fit.FIT
    order = (State.BROKEN, State.UNKNOWN, State.HELD)
    return Fitness(fit=fit, checks=tuple(sorted(checks, key=lambda check: order.index(check.state))))


def _held(name: str, held: bool | None, found: str, allowed: str) -> Check:  # noqa: FBT001 -- what was found
    state = State.UNKNOWN if held is None else State.HELD if held else State.BROKEN
    return Check(name=name, state=state, found=found, allowed=allowed)


def _plan(client: Client) -> Check:
    found = f"{client.sent} of {client.planned} sent, {client.workers_lost} workers lost"
    return _held("plan", client.sent == client.planned and not client.workers_lost, found, "all sent, none lost")


def _lag_p99(client: Client) -> Check:
    return _quantile("dispatch lag p99", client.lag_us, 0.99, LAG_P99_US_MAX)


def _lag_p50(client: Client) -> Check:
    ttft_us = quantile_us(client.ttft_us, 0.5) or 0.0
    return _quantile("dispatch lag p50", client.lag_us, 0.5, max(LAG_P50_US_MAX, LAG_TTFT_RATIO_MAX * ttft_us))


def _read(client: Client) -> Check:
    return _quantile("read lag p99", client.read_us, 0.99, READ_P99_US_MAX)


def _quantile(name: str, sketch: Mapping[int, int], q: float, us_max: float) -> Check:
    found_us = quantile_us(sketch, q)
    found = "unknown" if found_us is None else f"{found_us / 1000:.2f} ms"
    return _held(name, None if found_us is None else found_us <= us_max, found, f"{us_max / 1000:.2f} ms")


def _cpu(client: Client) -> Check:
    ratio = client.cpu_ratio
    found = "unknown: shorter than 5 s" if ratio is None else f"{ratio:.0%} of a core"
    return _held("cpu", ratio is None or ratio <= CPU_RATIO_MAX, found, f"{CPU_RATIO_MAX:.0%}")


def _ceiling(client: Client) -> Check:
    rate, ceiling = client.chunks_per_s or 0.0, client.ceiling_chunks_per_s
    if ceiling is None:
        is_slow = rate <= UNCALIBRATED_CHUNKS_PER_S_MAX
        allowed = f"{UNCALIBRATED_CHUNKS_PER_S_MAX:.0f} a second without a calibration (inferometer load calibrate)"
        return _held("ceiling", True if is_slow else None, f"{rate:.0f} reads a second and worker", allowed)
    allowed = f"{CEILING_RATIO_MAX * ceiling:.0f}, half of what this host can do"
    return _held("ceiling", rate <= CEILING_RATIO_MAX * ceiling, f"{rate:.0f} reads a second and worker", allowed)


def _little(client: Client) -> Check:
    if not client.in_flight_s:
        return _held("accounts", None, "no request was in flight", f"{LITTLE_RATIO_MAX:.0%}")
    off_s = abs(client.in_flight_s - client.elapsed_s)
    most_s = max(LITTLE_RATIO_MAX * client.in_flight_s, LITTLE_S_MAX * client.ended)
    found = f"in flight and rate x time differ by {off_s / client.in_flight_s:.1%}"
    return _held("accounts", off_s <= most_s, found, f"{most_s / client.in_flight_s:.1%}")
