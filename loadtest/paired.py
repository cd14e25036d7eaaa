"""Knows how often two arms that are the same are told apart; refuses to know where they are, and to judge a candidate.

A run of two arms sends pairs of equal requests, one to each target in an order that a coin decided. If both targets are
the same, every other fall of the coins would have been as likely: so the same requests, shared out by new coins, show
how often the comparison raises a false alarm on exactly this load, its tails and its queues included.

    alarm   the gate fails, or any metric is proven better or worse at 5 % over all metrics (Holm, both directions: 5 %
            are promised)
    blocks  the rate is above 7 %, and so many alarms have a probability below 5 % where the promise is kept

Error: k alarms of n; of 100 the 95 % interval of a rate of 5 % is 2 to 11 %, so that one run alone blocks from 10 on.

Source: spec/loadtest.md 14; R. A. Fisher, The Design of Experiments, 1935, 21 (test by the randomization itself).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from loadtest.gate import ALPHA, Metric, Run, gate, holm
from loadtest.gate_rows import gated_run
from loadtest.plan_spec import Objectives
from loadtest.random_streams import Uniform, stream
from loadtest.rows import Row
from loadtest.verdict import Verdict
from loadtest.wilson import wilson
from telemetry.special import betainc

RELABELLINGS = 100
"""Falls of the coins that are tried of one run."""
RATE_MAX = 0.07
"""Greatest rate of false alarms at which verdicts are given."""
CHANCE = 0.05
"""Probability below which a rate above that is no chance."""

RESAMPLES_FEW = 400
"""Draws of each comparison: enough for a proof at 5 % over nine metrics, in a fifth of the time of a verdict."""

Arms = tuple[list[Row], list[Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseAlarms:
    """How often the same was told apart.

    Attributes:
        alarms: How often.
        n: Of how many comparisons.
    """

    alarms: int
    n: int

    @property
    def ratio(self) -> float | None:
        """Their rate; None without a comparison."""
        return self.alarms / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the rate; None without a comparison."""
        return wilson(self.alarms, self.n) if self.n else None

    @property
    def blocks(self) -> bool:
        """Whether nothing may be judged with so many."""
        return (self.ratio or 0.0) > RATE_MAX and betainc(self.alarms, self.n - self.alarms + 1, ALPHA) < CHANCE

    def __add__(self, other: "FalseAlarms") -> "FalseAlarms":
        """Return both together."""
        return FalseAlarms(alarms=self.alarms + other.alarms, n=self.n + other.n)


def arms(rows: Iterable[Row]) -> Arms:
    """Return the rows of each target."""
    found: Arms = [], []
    for row in rows:
        found[row.arm].append(row)
    return found


def relabelled(rows: Sequence[Row], uniform: Uniform) -> Arms:
    """Return the rows of each target, had the coin of each pair fallen anew; every attempt goes with its arrival."""
    found: Arms = [], []
    turned = {pair: uniform() < 0.5 for pair in sorted({row.j // 2 for row in rows})}  # noqa: PLR2004 -- a fair coin
    for row in rows:
        found[row.arm ^ turned[row.j // 2]].append(row)
    return found


def false_alarms(
    rows: Sequence[Row],
    window_ns: tuple[int, int],
    limits: Mapping[str, Objectives],
    seed: int,
    *,
    metrics: Collection[Metric],
    n: int = RELABELLINGS,
) -> FalseAlarms:
    """Return how often the rows of one target, sent as two arms, raise a false alarm.

    Args:
        rows: Every row of the run.
        window_ns: Its measured part.
        limits: Objectives of each workload class.
        seed: Of coins and resamples.
        metrics: What is judged.
        n: Falls of the coins.
    """
    coins = stream(seed, "relabelled")
    alarms = 0
    for number in range(n):
        one, other = (gated_run(arm, window_ns, limits) for arm in relabelled(rows, coins))
        alarms += is_alarm(one, other, seed + number, metrics)
    return FalseAlarms(alarms=alarms, n=n)


def is_alarm(one: Run, other: Run, seed: int, metrics: Collection[Metric]) -> bool:
    """Return whether two arms are told apart, in either direction."""
    found = gate([one], [other], seed, paired=True, metrics=metrics, resamples=RESAMPLES_FEW)
    changes = [judged.change for judged in found.metrics]
    is_proven = any(holm([change.p for change in changes])) or any(holm([change.p_better for change in changes]))
    return is_proven or found.verdict is Verdict.FAILED  # whatever a fail was made of
