"""Knows whether the GPUs of an endpoint are too many or too few at its peak; refuses to scale.

NVML's utilisation is the share of the time in which any kernel ran: one request pins it near 100 %, so the seed's band
alone says nothing of capacity. Beside it stands rho, the share of their time that the replicas need for this load by
the scaling profile of a load test. `peak` are the minutes with at least the P90 of the load of seven days.

| utilisation at peak | rho < 0.5 | rho in between | rho >= 0.85 |
|---|---|---|---|
| < 0.5 | over_provisioned | fitting | hidden_saturation |
| 0.5 to 0.7 | fitting | fitting | hidden_saturation |
| 0.7 to 0.9 | fitting | fitting | fitting |
| 0.9 to 0.95 | pinned | fitting | fitting |
| > 0.95 | pinned | fitting | over_subscribed |

Too little is a ticket: `hidden_saturation`, `over_subscribed`. Too much is one only if one replica less would carry the
load as well: `over_provisioned`, `pinned`. Naively it is a ticket below 0.5 and above 0.95. Without a profile, or
without samples of at least `COVERED_RATIO` of the peak minutes, nothing is known but the figures.

Error: load is counted by the requests that ended, which hides demand that was never served; rho is as good as the
profile, which is of the mix that was tested.

Source: spec/slo.md 13 (`gpu_band`, seed S3: 70-90 healthy); spec/scaling.md 5, 6.7; dcgm-exporter#301.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from slo.inhibit import Kind
from slo.jump import Verdict
from slo.rules.capacity_profile import RHO_MAX, profiles_of
from slo.rules.rule import Found, Mode, Row, Rows, RuleId, Settings
from telemetry.queries.gpu_peaks import gpu_peaks
from telemetry.queries.profiles import profiles
from telemetry.queries.question import Question

WINDOW_S = 7 * 86_400
"""Time whose peaks are looked at."""
PEAKS = 30
"""Fewer peak minutes say nothing."""
COVERED_RATIO = 0.8
"""Share of the peak minutes that must have samples."""

_TOO_MANY, _TOO_FEW = "over-provisioned", "over-subscribed"
_IDLE, _LOW, _HEALTHY, _TIGHT = 0.5, 0.7, 0.9, 0.95
_IDLE_RHO = 0.5


class Capacity(StrEnum):
    """What utilisation and rho say together."""

    OVER_PROVISIONED = "over_provisioned"
    PINNED = "pinned"
    HIDDEN_SATURATION = "hidden_saturation"
    OVER_SUBSCRIBED = "over_subscribed"
    FITTING = "fitting"


_SHORT = frozenset({Capacity.HIDDEN_SATURATION, Capacity.OVER_SUBSCRIBED})
_SPARE = frozenset({Capacity.OVER_PROVISIONED, Capacity.PINNED})


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuBandRule:
    """Finds endpoints whose GPUs are too many or too few at their peak."""

    settings: Settings
    id: RuleId = field(default=RuleId.GPU_BAND, init=False)
    kind: Kind = field(default=Kind.OTHER, init=False)
    every_s: int = field(default=3_600, init=False)
    for_s: int = field(default=0, init=False)

    def questions(self, at_s: int) -> Mapping[str, Question]:
        """Return what to ask at an instant."""
        since_s = at_s - (self.settings.window_s or WINDOW_S)
        return {"peaks": gpu_peaks(since_s * 1000, at_s * 1000), "profiles": profiles(at_s * 1000)}

    def judge(self, at_s: int, rows: Rows) -> Sequence[Found]:  # noqa: ARG002 -- the rows are of the instant
        """Return what the answers say of every endpoint that has GPUs."""
        known = profiles_of(rows["profiles"])
        found: list[Found] = []
        for row in rows["peaks"]:
            profile, replicas = known.get(row["endpoint"]), float(row["replicas"] or 0)
            rho = profile.rho(float(row["per_s"]), replicas) if profile else None
            found.append(self._found(row, rho, replicas))
        return found

    def _found(self, row: Row, rho: float | None, replicas: float) -> Found:
        util, minutes = float(row["util_ratio"]), int(row["minutes"])
        named = band(util)
        is_seen = minutes >= (self.settings.min_events or PEAKS) and int(row["known"]) >= COVERED_RATIO * minutes
        what = None if rho is None or not is_seen else capacity(util, rho)
        acts = what in _SHORT or (what in _SPARE and rho is not None and fewer_would_do(rho, replicas))
        said = f"capacity {'unknown: no scaling profile, or no replica scraped' if rho is None else f'used {rho:.0%}'}"
        sm = "unknown" if row["sm_ratio"] is None else f"{float(row['sm_ratio']):.0%}"
        summary = f"{row['endpoint']}: GPUs {util:.0%} busy at peak, SM active {sm}, {said}"
        words = {
            "summary": summary,
            "naive": named,
            "minutes": f"{row['known']} of {minutes} peak minutes were sampled",
        }
        if what:
            words["sound"] = what.value
        is_naive = is_seen and named in {_TOO_MANY, _TOO_FEW}
        return Found(
            labels={"endpoint": str(row["endpoint"])},
            sound=Verdict.TICKET if acts else Verdict.SILENT,
            naive=Verdict.TICKET if is_naive else Verdict.SILENT,
            words=words,
            is_known=what is not None or (is_seen and self.settings.mode is Mode.NAIVE),
        )


def band(util: float) -> str:
    """Return the band of the seed that a utilisation is in."""
    if util < _IDLE:
        return _TOO_MANY
    if util < _LOW:
        return "low"
    if util <= _HEALTHY:
        return "healthy"
    return "tight" if util <= _TIGHT else _TOO_FEW


def capacity(util: float, rho: float) -> Capacity:
    """Return what utilisation and rho say together.

    Args:
        util: Share of the time in which a kernel ran, 0 to 1.
        rho: Share of their time that the replicas need.
    """
    if rho >= RHO_MAX:
        return _saturated(util)
    if rho >= _IDLE_RHO:
        return Capacity.FITTING
    if util >= _HEALTHY:
        return Capacity.PINNED
    return Capacity.OVER_PROVISIONED if util < _IDLE else Capacity.FITTING


def fewer_would_do(rho: float, replicas: float) -> bool:
    """Return whether one replica less would carry the load as well."""
    return replicas > 1 and rho * replicas / (replicas - 1) <= RHO_MAX


def _saturated(util: float) -> Capacity:
    if util < _LOW:
        return Capacity.HIDDEN_SATURATION
    return Capacity.OVER_SUBSCRIBED if util > _TIGHT else Capacity.FITTING
