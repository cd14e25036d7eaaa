"""Knows when one replica is slower, or fails more often, than its peers; refuses to judge them all together.

The middle of the replicas is their median, the width 1.4826 times the median distance from it (which is the standard
deviation of a normal distribution, and which one bad replica of four cannot move). A replica is an outlier if it is
beyond three such widths, towards slow or towards bad, and its requests prove that it is: of four replicas the width is
small by chance ever so often (simulated: 65 of 2,000 healthy ones are beyond three, of a normal distribution 3 would).

    speed       the logarithm of the median time per output token is beyond; and more of its requests took over 1.1
                times the middle than half of them would by chance, p < 1e-4 (a sign test of its median)
    bad share   bad of good and bad requests is beyond; and it is proven more than twice that of all others, p < 1e-4,
                with at least three of them and 0.5 % (the test of `slo.jump`)

With fewer than four replicas there is no majority to go by: they cannot be compared. The naive reading takes mean and
standard deviation of all replicas. The outlier is in both: of m replicas none is further from the mean than
(m - 1) / sqrt(m) standard deviations, so of ten or fewer none is ever beyond three.

Error: a chance of 1e-4 for each replica and instant if requests are independent, which `for_s` makes rarer; the windows
of instants overlap. Replicas that are sent other requests on purpose are not peers.

Source: spec/slo.md 14 (`replica_outlier`); the bound: P. A. Samuelson, How deviant can you be?, 1968.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from slo.counts import Counts
from slo.inhibit import Kind
from slo.jump import Verdict, error_rate_jump
from slo.rules.chosen import window_s
from slo.rules.rule import Found, Row, Rows, RuleId, Settings
from telemetry.queries.question import Question
from telemetry.queries.replicas import replicas
from telemetry.special import betainc

WINDOW_S = 900
"""Time over which replicas are compared."""
REPLICAS = 4
"""Fewer cannot be compared."""
REQUESTS = 30
"""A replica with fewer is no peer."""
WIDTHS = 3.0
"""Robust standard deviations beyond which a replica is an outlier."""
SLOWER_RATIO = 1.1
"""A replica that is not slower than the middle by this factor is no outlier, however alike the others are."""

_MAD_TO_SD = 1.4826
_P_BELOW = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """How far a value is from those of all replicas.

    Attributes:
        widths: Robust standard deviations above the median; infinite if all others are alike.
        deviations: Plain standard deviations above the mean.
        middle: The median.
    """

    widths: float
    deviations: float
    middle: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaOutlierRule:
    """Finds replicas that are worse than their peers; `window_s` is a day at most."""

    settings: Settings
    id: RuleId = field(default=RuleId.REPLICA_OUTLIER, init=False)
    kind: Kind = field(default=Kind.OTHER, init=False)
    every_s: int = field(default=60, init=False)
    for_s: int = field(default=120, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        since_s = at_s - window_s(self.settings, WINDOW_S)
        return {"replicas": replicas(since_s * 1000, at_s * 1000, SLOWER_RATIO)}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:  # noqa: ARG002 -- the rows are of the instant
        """Return what the answers say of every replica of every endpoint and model."""
        found: list[Found] = []
        for _, group in groupby(rows["replicas"], key=lambda row: (row["endpoint"], row["model"])):
            found += self._compared(list(group))
        return found

    def _compared(self, group: Sequence[Row]) -> Sequence[Found]:
        peers = [row for row in group if self._has_enough(row, "n")]
        strangers = [row for row in group if not self._has_enough(row, "n")]
        unknown = [_found(row, "has too few requests to be compared", is_known=False) for row in strangers]
        if len(peers) >= REPLICAS:
            return unknown + [self._judged(row, peers) for row in peers]
        why = f"cannot be compared: {len(peers)} replicas have enough requests, {REPLICAS} are needed"
        return unknown + [_found(row, why, _is_far(row, peers), is_known=False) for row in peers]

    def _has_enough(self, row: Row, of: str) -> bool:
        return int(row[of]) >= (self.settings.min_events or REQUESTS)

    def _judged(self, row: Row, peers: Sequence[Row]) -> Found:
        limit = WIDTHS if self.settings.threshold is None else self.settings.threshold
        share = _share(row, peers)
        pace = _pace(row, [one for one in peers if self._has_enough(one, "paced")])
        is_bad = share.widths > limit and _is_worse(row, peers)
        is_slow = pace is not None and pace.widths > limit and _is_slower(row)
        said = f"{int(row['bad']) / int(row['n']):.1%} of {row['n']} requests bad, {share.middle:.1%} in the middle"
        if pace is not None:
            slower = float(row["tpot_us"]) / math.exp(pace.middle)
            said += f"; an output token takes {slower:.2f} times as long as in the middle"
        sound = Verdict.TICKET if is_bad or is_slow else Verdict.SILENT
        return _found(row, said, _is_far(row, peers), sound, bad=int(row["bad"]) if is_bad else None)


def away(mine: float, of: Sequence[float]) -> Away:
    """Return how far a value is above those of all, its own among them.

    Args:
        mine: The value.
        of: At least one.
    """
    middle = statistics.median(of)
    width = _MAD_TO_SD * statistics.median(abs(one - middle) for one in of)
    sd = statistics.stdev(of) if len(of) > 1 else 0.0
    return Away(widths=_times(mine - middle, width), deviations=_times(mine - statistics.fmean(of), sd), middle=middle)


def _times(distance: float, width: float) -> float:
    if width > 0:
        return distance / width
    return math.inf if distance > 0 else 0.0


def _share(row: Row, peers: Sequence[Row]) -> Away:
    """Return how far a replica's share of bad requests is above those of all."""
    return away(int(row["bad"]) / int(row["n"]), [int(one["bad"]) / int(one["n"]) for one in peers])


def _is_worse(row: Row, peers: Sequence[Row]) -> bool:
    """Return whether more of its requests are proven bad than of all others together."""
    others = sum((_counts(one) for one in peers if one is not row), Counts())
    return error_rate_jump(_counts(row), others).sound is not Verdict.SILENT


def _counts(row: Row) -> Counts:
    return Counts(eligible=int(row["n"]), bad=int(row["bad"]))


def _is_slower(row: Row) -> bool:
    """Return whether its median is proven above `SLOWER_RATIO` times the middle."""
    slower, paced = int(row["slower"]), int(row["paced"])
    return slower > 0 and betainc(slower, paced - slower + 1, 1 / 2) < _P_BELOW


def _pace(row: Row, peers: Sequence[Row]) -> Away | None:
    """Return how far the logarithm of a replica's time per token is above those of all; None if too few have one."""
    if row not in peers or len(peers) < REPLICAS:
        return None
    return away(math.log(float(row["tpot_us"])), [math.log(float(one["tpot_us"])) for one in peers])


def _is_far(row: Row, peers: Sequence[Row]) -> Verdict:
    """Return what mean and standard deviation say."""
    of = [[int(one["bad"]) / int(one["n"]) for one in peers]]
    mine = [int(row["bad"]) / int(row["n"])]
    if row["tpot_us"]:
        of.append([float(one["tpot_us"]) for one in peers if one["tpot_us"]])
        mine.append(float(row["tpot_us"]))
    far = any(away(one, all_of).deviations > WIDTHS for one, all_of in zip(mine, of, strict=True))
    return Verdict.TICKET if far else Verdict.SILENT


def _found(
    row: Row,
    said: str,
    naive: Verdict = Verdict.SILENT,
    sound: Verdict = Verdict.SILENT,
    *,
    bad: int | None = None,
    is_known: bool = True,
) -> Found:
    names = ("endpoint", "model", "replica")
    return Found(
        labels={name: str(row[name]) for name in names},
        sound=sound,
        naive=naive,
        words={"summary": f"{row['endpoint']}/{row['replica']}: {said}"},
        bad=bad,
        is_known=is_known,
    )
