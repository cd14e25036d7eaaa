"""Knows how the store's rows of one instant become the observation of a target; refuses to ask for rows, and to decide.

Values come from replicas that are heard: the series of a removed one ends and says nothing more. A hole stays a hole.
Requests that wait are those of the engines' own queues: what a client gave up waits nowhere. Nothing queues before the
replicas that the collectors know of, so `held` is 0. The age is that of the heartbeats that the rates rest on, the
oldest of them; a collector or a replica that is silent lowers the coverage, the worse of both. As many collectors are
expected as were heard at the same time within ten minutes: one that took another's place is not a second one.

A replica that sleeps answers and serves nothing: it counts as one that does not answer. A rollout passes where there
are two configurations, and all replicas of one began after all of the other, and within the hour: engines tell what
they measured of their memory as part of their configuration, so equal replicas may differ, and later nothing tells
these apart. In a fleet of two that differ so, the hour after a start is taken for a rollout, and takes nothing away.

Error: tails and prompt lengths are upper ends of buckets, so up to 4.4 % high. Waiting prompt tokens are not told by
engines, so each waiting request counts as one of the mean.

Source: spec/scaling.md 3 (age, coverage, phantom queue), 5 (inputs; capacity per configuration).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slo.hints_spec import Counted, Replicas
from slo.hints_target import Hinted
from slo.scaling.lead import Lead
from telemetry.histogram import merge, quantile
from telemetry.scaling import Observation, ReplicaView

WINDOW_S = 60
"""What rates, means and tails are taken over."""
ROLLOUT_S = 3_540.0
"""How long after the first of them replicas of another configuration are of a rollout; they are known for an hour."""
Row = Mapping[str, Any]

_MS = 1000
_AWAKE = ("", "awake")
_CONFIGURATIONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Rows of one instant, of all targets.

    Attributes:
        at_s: The instant, unix time.
        engines: Of `telemetry.queries.hint_inputs.engines`; likewise the others.
        demand: Heartbeats.
        mix: Requests that ended.
        gpus: GPU samples.
    """

    at_s: int
    engines: Sequence[Row] = ()
    demand: Sequence[Row] = ()
    mix: Sequence[Row] = ()
    gpus: Sequence[Row] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """How the objective of a target stands; None is unknown.

    Attributes:
        objective_ratio: Share of requests that shall be good.
        attainment_1h_ratio: Share that was, in the last hour.
        burn_1h: How fast the hour used the budget.
        budget_left_ratio: What is left of it.
    """

    objective_ratio: float | None = None
    attainment_1h_ratio: float | None = None
    burn_1h: float | None = None
    budget_left_ratio: float | None = None


def counted(one: Hinted, seen: Seen) -> Counted:
    """Return the replicas of a target by what is heard of them."""
    rows = _own(one, seen.engines)
    heard = [row for row in rows if _is_heard(row, seen.at_s, one)]
    up = sum(_serves(row) for row in heard)
    silent = sum(int(row["n_up"]) > 0 for row in rows) - sum(int(row["n_up"]) > 0 for row in heard)
    return Counted(up=up, down=len(heard) - up, silent=silent)


def observation(
    one: Hinted, seen: Seen, there: Replicas, promise: Promise = Promise(), starts: Lead | None = None
) -> Observation:
    """Return what is known of a target at an instant.

    Args:
        one: The target.
        seen: Rows of the instant.
        there: How many replicas there are.
        promise: How its objective stands.
        starts: How long replicas take, where production did not show it yet; None if unknown.
    """
    engines = [row for row in _own(one, seen.engines) if _is_heard(row, seen.at_s, one) and _serves(row)]
    spans = _spans(one, seen)
    mix = _Mix(_own(one, seen.mix))
    objective = one.objective_ratio if promise.objective_ratio is None else promise.objective_ratio
    return Observation(
        now_unix_s=float(seen.at_s),
        spec=there.spec,
        ready=there.ready,
        warming=there.warming,
        draining=there.draining,
        replicas=tuple(_replica(row, one, seen) for row in engines),
        age_s=_age_s(spans, one, seen),
        coverage=min(there.coverage, _collectors(spans, one, seen)),
        window_s=float(WINDOW_S),
        arrivals_rps=_arrivals(one, seen),
        completed_rps=mix.completed_rps,
        held=0,
        tokens_in_mean=mix.tokens_in_mean,
        tokens_out_mean=mix.tokens_out_mean,
        prefix_hit_ratio=_hits(engines),
        prompts=mix.prompts,
        ttft_p50_s=mix.tail("ttft_h", 0.5),
        ttft_p90_s=mix.tail("ttft_h", 0.9),
        ttft_p95_s=mix.tail("ttft_h", 0.95),
        tpot_p50_s=mix.tail("tpot_h", 0.5),
        tpot_p90_s=mix.tail("tpot_h", 0.9),
        tpot_p95_s=mix.tail("tpot_h", 0.95),
        cold_start_p50_s=None if starts is None else starts.p50_s,
        cold_start_p90_s=None if starts is None else starts.p90_s,
        objective_ratio=objective,
        attainment_1h_ratio=promise.attainment_1h_ratio,
        burn_1h=promise.burn_1h,
        budget_left_ratio=promise.budget_left_ratio,
        strangers=_strangers(engines, seen.at_s),
    )


class _Mix:
    """What requests were like that ended."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    @property
    def completed_rps(self) -> float | None:
        """Good ends; None where no row came: nothing may have ended, or nothing arrived here."""
        return sum(int(row["n_ok"]) for row in self._rows) / WINDOW_S if self._rows else None

    @property
    def tokens_in_mean(self) -> float | None:
        return self._mean("tokens_in", "n_in")

    @property
    def tokens_out_mean(self) -> float | None:
        return self._mean("tokens_out", "n_out")

    @property
    def prompts(self) -> tuple[tuple[int, int], ...]:
        return tuple(sorted(merge(*(dict(row["prompts"]) for row in self._rows)).items()))

    def tail(self, name: str, q: float) -> float | None:
        """Return a quantile, the upper end of its bucket."""
        found = quantile(merge(*(dict(row[name]) for row in self._rows)), q)
        return None if found is None else found.high

    def _mean(self, of: str, count: str) -> float | None:
        n = sum(int(row[count]) for row in self._rows)
        return sum(int(row[of]) for row in self._rows) / n if n else None


def _own(one: Hinted, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if one.owns(str(row["endpoint"]), str(row.get("model", "")))]


def _is_heard(row: Row, at_s: int, one: Hinted) -> bool:
    return at_s - int(row["heard_unix_ms"]) / _MS <= one.settings.ttl_s


def _serves(row: Row) -> bool:
    return bool(row["is_up"]) and row["sleep_state"] in _AWAKE


def _strangers(engines: Sequence[Row], at_s: int) -> int:
    """Return how many have another configuration than most, while one takes the place of the other; else 0."""
    since_s: dict[int, list[float]] = {}
    for row in engines:
        if row["config_hash"]:
            since_s.setdefault(int(row["config_hash"]), []).append(int(row["since_unix_ms"]) / _MS)
    if len(since_s) != _CONFIGURATIONS:
        return 0
    old, new = sorted(since_s.values(), key=min)
    passes = max(old) < min(new) and at_s - min(new) < ROLLOUT_S
    return min(len(old), len(new)) if passes else 0


def _spans(one: Hinted, seen: Seen) -> list[tuple[float, float]]:
    """Return of each collector when it was heard first and last within ten minutes."""
    found: dict[str, tuple[float, float]] = {}
    for row in _own(one, seen.demand):
        since_s, heard_s = int(row["since_unix_ms"]) / _MS, int(row["heard_unix_ms"]) / _MS
        first_s, last_s = found.get(str(row["collector"]), (since_s, heard_s))
        found[str(row["collector"])] = min(first_s, since_s), max(last_s, heard_s)
    return list(found.values())


def _fresh(spans: Sequence[tuple[float, float]], one: Hinted, seen: Seen) -> list[tuple[float, float]]:
    return [(since_s, heard_s) for since_s, heard_s in spans if seen.at_s - heard_s <= one.settings.ttl_s]


def _age_s(spans: Sequence[tuple[float, float]], one: Hinted, seen: Seen) -> float | None:
    """Return the age of the oldest heartbeat that counts, of the newest if all are too old; None without any.

    One whose place another took does not count: it ended, and is not late.
    """
    fresh = _fresh(spans, one, seen)
    last = [heard_s for _, heard_s in fresh if not any(since_s > heard_s for since_s, _ in fresh)]
    heard_s = min(last) if last else max((heard_s for _, heard_s in spans), default=None)
    return None if heard_s is None else max(0.0, seen.at_s - heard_s)


def _collectors(spans: Sequence[tuple[float, float]], one: Hinted, seen: Seen) -> float:
    """Return the share of collectors that are heard; 0 without any."""
    expected = _together(spans)
    return _together(_fresh(spans, one, seen)) / expected if expected else 0.0


def _together(spans: Sequence[tuple[float, float]]) -> int:
    """Return how many were heard at the same time, at most; that is so when one of them is heard first."""
    return max((sum(since_s <= at_s <= heard_s for since_s, heard_s in spans) for at_s, _ in spans), default=0)


def _arrivals(one: Hinted, seen: Seen) -> float | None:
    """Return what arrives at the collectors that are heard; None if none of them says."""
    rates = [
        float(row["arrivals_rps"])
        for row in _own(one, seen.demand)
        if row["arrivals_rps"] is not None and _is_heard(row, seen.at_s, one)
    ]
    return sum(rates) if rates else None


def _replica(row: Row, one: Hinted, seen: Seen) -> ReplicaView:
    running, queued, kv_used = row["values"]
    return ReplicaView(
        name=str(row["replica"]),
        ready_for_s=max(0.0, seen.at_s - int(row["since_unix_ms"]) / _MS),
        age_s=max(0.0, seen.at_s - int(row["up_unix_ms"]) / _MS),
        running=None if running is None else int(running),
        waiting=None if queued is None else int(queued),
        kv_used_ratio=None if kv_used is None else float(kv_used),
        gpu_util_ratio=_gpu(str(row["replica"]), one, seen),
    )


def _gpu(replica: str, one: Hinted, seen: Seen) -> float | None:
    """Return how busy the GPUs of a replica are; of GPUs that no replica is named for, as of the endpoint."""
    of = {str(row["replica"]): row["gpu_util_ratio"] for row in seen.gpus if row["endpoint"] == one.endpoint}
    found = of.get(replica, of.get(""))
    return None if found is None else float(found)


def _hits(engines: Sequence[Row]) -> float | None:
    known = [row for row in engines if row["prefix_queries"] is not None and row["prefix_hits"] is not None]
    queries = sum(int(row["prefix_queries"]) for row in known)
    return sum(int(row["prefix_hits"]) for row in known) / queries if queries else None
