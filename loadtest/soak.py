"""Knows whether something grows while load goes on for hours; refuses to keep a row.

What passes is summed by stretch, of which there are at most `STRETCHES_MAX` whatever the length; what is sampled is
thinned to as many. Over their means lies a line (`loadtest.slope`), and what it gains from the first stretch to the
last is the growth:

    fail          it grows for sure, and by more than may be
    pass          the upper end of its interval is no more than may be
    inconclusive  neither, or fewer stretches than a slope needs

Shares, as KV use, grow by points; all else by its ratio to the first stretch. The share of bad requests has no line,
since a line over medians does not see what fails only at the end: it is compared between the first quarter and the last
(Newcombe's interval). Nor does a line see a step that comes late: the last quarter, and the last eighth, are held
against all that was before them, and what rose there for sure, by more than may be, fails too. A step that lasted for
less than a sixteenth of the soak is not seen. Times are of those who answered; `gaps` says where those are too few to
stand for all.

Source: spec/loadtest.md 7 (`soak`: slope of TPOT, RSS and KV with interval).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from loadtest.rows import Row
from loadtest.run_spec import Phase
from loadtest.slope import slope, step
from loadtest.verdict import Verdict
from loadtest.wilson import difference
from telemetry.outcome import Flag, Outcome

STRETCHES_MAX = 120
"""Most stretches of a soak."""
GROWTH_MAX = 0.1
"""How much anything may grow over a soak, unless said otherwise."""
OUTAGE_LEAST = 5
"""Fewer requests of a stretch may all fail by chance."""
QUARTERS = 4
"""Parts between which the share of bad requests is compared."""
_US = 1e6

Points = Sequence[tuple[float, float]]
"""(seconds after the start, value)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How something grew over a soak.

    Attributes:
        name: What.
        unit: Of its level.
        n: Stretches.
        level: In the first stretch, by the line; None below the least number of stretches.
        per_hour: Slope, units an hour; None likewise.
        growth: Over the whole soak, as a ratio of the level, or in points of a share; None likewise.
        low: Lower end of its 95 % interval; None likewise.
        high: Upper end; None likewise.
        verdict: Of it; None if it is not judged.
        note: What else is to be said of it.
    """

    name: str
    unit: str
    n: int
    level: float | None
    per_hour: float | None
    growth: float | None
    low: float | None
    high: float | None
    verdict: Verdict | None
    note: str = ""


class Stretches:
    """Sums of the answers of a soak.

    Attributes:
        offered: Requests that count.
        bad: Those that did not end well.
        outcomes: Attempts by outcome.

    Args:
        window_ns: The measured part, after the start.
    """

    def __init__(self, window_ns: tuple[int, int]) -> None:
        """Begin with nothing seen."""
        self._first_us, until_us = (edge_ns / 1000 for edge_ns in window_ns)
        self._length_us = max(1.0, (until_us - self._first_us) / STRETCHES_MAX)
        self._sums: dict[str, list[list[float]]] = {
            name: [[0.0, 0.0] for _ in range(STRETCHES_MAX)] for name in ("tpot", "ttft")
        }
        self._failing = [[0, 0] for _ in range(STRETCHES_MAX)]
        self.offered = self.bad = 0
        self.outcomes: dict[str, int] = {}

    def add(self, row: Row) -> None:
        """Take a row of the run, in any order; what does not count is passed over."""
        record = row.record
        if row.run_phase is not Phase.MEASURED or record.flags & Flag.ABORTED_BY_PLAN:
            return
        self.offered += 1
        self.outcomes[record.outcome.value] = self.outcomes.get(record.outcome.value, 0) + 1
        is_bad = record.outcome is not Outcome.OK
        self.bad += is_bad
        at = int((row.t_sched_us - self._first_us) / self._length_us)
        if not 0 <= at < STRETCHES_MAX:
            return
        self._failing[at][0] += is_bad
        self._failing[at][1] += 1
        if not is_bad:
            for name, us in (("tpot", record.tpot_us), ("ttft", record.ttft_us)):
                if us is not None:
                    self._sums[name][at][0] += us / _US
                    self._sums[name][at][1] += 1

    def means(self, name: str) -> Points:
        """Return (middle of a stretch, mean in it) of `tpot` or `ttft`; stretches without a value are left out."""
        return [
            ((self._first_us + (at + 0.5) * self._length_us) / _US, total / n)
            for at, (total, n) in enumerate(self._sums[name])
            if n
        ]

    def failing(self, most: float = GROWTH_MAX) -> Growth:
        """Judge how the share of bad requests grew, from the first quarter to the last.

        Args:
            most: How many points it may grow; where more are bad, the times of the others do not stand for all.
        """
        quarters, n = self._quarters(), sum(asked > 0 for _, asked in self._failing)
        (first, first_n), *_, (last, last_n) = quarters
        if not first_n or not last_n:
            return untold("bad", "ratio", n, Verdict.INCONCLUSIVE)
        level, rise = first / first_n, last / last_n - first / first_n
        low, high = difference((last, last_n), (first, first_n))
        verdict, note = _judged(rise, low, high, most), self._gaps(quarters, most)
        return Growth(
            name="bad",
            unit="ratio",
            n=n,
            level=level,
            per_hour=rise * 3600 * _US / (self._length_us * STRETCHES_MAX * (QUARTERS - 1) / QUARTERS),
            growth=rise,
            low=low,
            high=high,
            verdict=Verdict.INCONCLUSIVE if note and verdict is Verdict.PASSED else verdict,
            note=note,
        )

    def _quarters(self) -> list[tuple[int, int]]:
        """Return (bad, all) of each quarter."""
        size = STRETCHES_MAX // QUARTERS
        parts = [self._failing[at : at + size] for at in range(0, STRETCHES_MAX, size)]
        return [(sum(bad for bad, _ in part), sum(asked for _, asked in part)) for part in parts]

    def _gaps(self, quarters: Sequence[tuple[int, int]], most: float) -> str:
        """Return where too few answered for their times to stand for all; empty if nowhere."""
        silent = sum(bad == asked >= OUTAGE_LEAST for bad, asked in self._failing)
        worst = max(bad / asked for bad, asked in quarters if asked)
        found = [f"{silent} stretches without an answer"] if silent else []
        return "; ".join([*found, f"{worst:.1%} of a quarter of the run failed"] if worst > most else found)


def thinned(points: Points) -> Points:
    """Return at most `STRETCHES_MAX` points: means of neighbours, each of as many."""
    size = -(-len(points) // STRETCHES_MAX) or 1
    groups = [points[at : at + size] for at in range(0, len(points), size)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def growth(name: str, unit: str, points: Points, most: float = GROWTH_MAX) -> Growth:
    """Judge how something grew.

    Args:
        name: What.
        unit: Of its values; `ratio` is a share, and grows in points.
        points: At most `STRETCHES_MAX`, ascending.
        most: How much it may grow.
    """
    found = slope(points)
    scale = None if found is None else 1.0 if unit == "ratio" else found.level
    if found is None or not scale or scale < 0:
        return untold(name, unit, len(points), Verdict.INCONCLUSIVE)
    span = (points[-1][0] - points[0][0]) / scale
    rise, low, high = (end * span for end in (found.rise, found.low, found.high))
    late = _late([value for _, value in points], 1.0 if unit == "ratio" else None, most)
    return Growth(
        name=name,
        unit=unit,
        n=found.n,
        level=found.level,
        per_hour=found.rise * 3600,
        growth=rise,
        low=low,
        high=high,
        verdict=Verdict.FAILED if late else _judged(rise, low, high, most),
        note=late,
    )


def _late(values: Sequence[float], scale: float | None, most: float) -> str:
    """Return what rose late, for sure, by more than may be; empty if nothing did.

    Args:
        values: In order.
        scale: Of a share 1; None: the median of what was before.
        most: How much may be.
    """
    for name, part in (("quarter", 4), ("eighth", 8)):
        at = len(values) - len(values) // part
        before, behind = values[:at], values[at:]
        found, unit = step(before, behind), scale or median(before)
        if found is not None and unit > 0 and found.low > 0 and found.size / unit > most:
            return f"up by {found.size / unit:.1%} in the last {name}, against all before"
    return ""


def untold(name: str, unit: str, n: int, verdict: Verdict | None, note: str = "") -> Growth:
    """Return what is said of something whose growth is not known."""
    return Growth(
        name=name, unit=unit, n=n, level=None, per_hour=None, growth=None, low=None, high=None, verdict=verdict,
        note=note,
    )  # fmt: skip


def _judged(rise: float, low: float, high: float, most: float) -> Verdict:
    if low > 0 and rise > most:
        return Verdict.FAILED
    return Verdict.PASSED if high <= most else Verdict.INCONCLUSIVE
