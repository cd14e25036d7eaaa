"""Knows what of a fleet becomes known, and when; refuses to know what is done with it.

Replicas are read at every scrape. What a scrape said may be seen `delay_s` later, unless it got lost; a value older
than `stale_s` counts as missing. Rates, means and tails are sums over the last whole scrapes that a window holds, the
youngest of them one that may be seen by now.

Source: spec/scaling.md 3, 5, 7 (signals reach policies late).
"""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from math import ceil
from typing import TypedDict

from loadtest.fleet.members import Member, Members, Stage
from loadtest.fleet.requests import Request
from loadtest.fleet.spec import FleetSpec
from loadtest.fleet.tally import MINUTE_S, Tally, Times
from loadtest.random_streams import stream
from telemetry.scaling import Observation, ReplicaView

BUDGET_S = 30 * 86_400
"""Window of the budget."""
_HOUR = 60  # minutes
_EDGES = sorted({round(2 ** (at / 8)) for at in range(32 * 8)})  # of prompts, 9 % apart, up to any length
_edge_of = partial(bisect_left, _EDGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    """What happened between two scrapes."""

    at_s: float
    tokens_in: Sequence[int]
    prompts: Counter[int]
    times: Times
    read: int
    hits: int


class Sight:
    """What is known."""

    def __init__(self, spec: FleetSpec, seed: int) -> None:
        """Begin with nothing known."""
        signals = spec.signals
        self._spec = spec
        self._lost = stream(seed, "fleet/loss")
        self._window = max(1, round(signals.window_s / signals.scrape_s))
        self._late = ceil(signals.delay_s / signals.scrape_s) + 1  # scrapes that may not be seen yet, and one that may
        self._slices: deque[_Slice] = deque(maxlen=self._window + self._late)
        self._arrived: list[Sequence[Request]] = []
        self._traffic: tuple[tuple[float, float], _Traffic] | None = None

    def arrived(self, requests: Sequence[Request]) -> None:
        """Note what has come since the last scrape."""
        self._arrived.append(requests)

    def scrape(self, now_s: float, members: Members, times: Times) -> None:
        """Read the replicas that serve, and close what happened since the last scrape."""
        signals = self._spec.signals
        outage = any(since_s <= now_s < until_s for since_s, until_s in signals.outages)
        tokens_in = [request[1] for part in self._arrived for request in part]
        self._arrived.clear()
        read = hits = 0
        for member in members.of(Stage.READY):
            is_lost = outage or (signals.loss_ratio > 0 and self._lost() < signals.loss_ratio)
            more = self._read(member, now_s, is_lost=is_lost)
            read, hits = read + more[0], hits + more[1]
        if not outage:
            self._slices.append(
                _Slice(
                    at_s=now_s,
                    tokens_in=tokens_in,
                    prompts=Counter(map(_edge_of, tokens_in)),
                    times=times,
                    read=read,
                    hits=hits,
                )
            )

    def observation(self, now_s: float, spec: int, held: int, members: Members, tally: Tally) -> Observation:
        """Return what a policy sees.

        Args:
            now_s: The instant.
            spec: Replicas that are asked for.
            held: Requests that wait while no replica is ready.
            members: The replicas.
            tally: What ended so far.
        """
        seen_s = now_s - self._spec.signals.delay_s
        slices = [one for one in self._slices if one.at_s <= seen_s][-self._window :]
        ready = members.of(Stage.READY)
        views = tuple(self._view(one, now_s) for one in (*ready, *members.ghosts(now_s)))
        known = sum(view.age_s is not None and view.age_s < self._spec.signals.stale_s for view in views)
        cold = sorted(members.cold_starts_s)
        return Observation(
            now_unix_s=self._spec.start_unix_s + now_s,
            spec=spec,
            ready=len(ready),
            warming=len(members.of(Stage.WARMING)),
            draining=len(members.of(Stage.DRAINING)),
            replicas=views,
            age_s=now_s - slices[-1].at_s if slices else None,
            coverage=known / len(views) if views else 1.0,
            window_s=len(slices) * self._spec.signals.scrape_s,
            held=held,
            cold_start_p50_s=_at(cold, 0.5),
            cold_start_p90_s=_at(cold, 0.9),
            **self._summed(slices),
            **_objective(self._spec.limits.target, now_s, tally),
        )

    def _summed(self, slices: Sequence[_Slice]) -> "_Traffic":
        """Return what the slices say; the same ones are summed once, as some policies look more often than that."""
        span = (slices[0].at_s, slices[-1].at_s) if slices else (0.0, 0.0)
        if self._traffic is None or self._traffic[0] != span:
            self._traffic = span, _traffic(slices, self._spec.signals.scrape_s)
        return self._traffic[1]

    def _read(self, member: Member, now_s: float, *, is_lost: bool) -> tuple[int, int]:
        """Read a replica; return the prompt tokens that it read since the last time, and those from the cache."""
        load, last = member.replica.load(now_s), member.load
        busy_s, read, hits = (last.busy_s, last.prompt_tokens, last.hit_tokens) if last is not None else (0.0, 0, 0)
        past_s, member.load = now_s - member.last_s, load
        member.last_s = now_s
        if not is_lost:
            member.shown.append((now_s, load, min(1.0, (load.busy_s - busy_s) / past_s) if past_s > 0 else 0.0))
            while len(member.shown) > self._late:
                member.shown.popleft()
        return load.prompt_tokens - read, load.hit_tokens - hits

    def _view(self, member: Member, now_s: float) -> ReplicaView:
        seen_s = now_s - self._spec.signals.delay_s
        shown = next((one for one in reversed(member.shown) if one[0] <= seen_s), None)
        if shown is None:
            return ReplicaView(name=member.name, ready_for_s=now_s - member.ready_s)
        at_s, load, util = shown
        return ReplicaView(
            name=member.name,
            ready_for_s=now_s - member.ready_s,
            age_s=now_s - at_s,
            running=load.running,
            waiting=load.waiting,
            waiting_prompt_tokens=load.waiting_prompt_tokens,
            kv_used_ratio=load.kv_used_ratio,
            gpu_util_ratio=util,
        )


class _Traffic(TypedDict):
    arrivals_rps: float | None
    completed_rps: float | None
    tokens_in_mean: float | None
    tokens_out_mean: float | None
    prefix_hit_ratio: float | None
    prompts: tuple[tuple[int, int], ...]
    ttft_p50_s: float | None
    ttft_p90_s: float | None
    ttft_p95_s: float | None
    tpot_p50_s: float | None
    tpot_p90_s: float | None
    tpot_p95_s: float | None


class _Objective(TypedDict):
    objective_ratio: float
    attainment_1h_ratio: float | None
    burn_1h: float | None
    budget_left_ratio: float | None


def _traffic(slices: Sequence[_Slice], scrape_s: float) -> _Traffic:
    window_s = len(slices) * scrape_s
    arrived = sum(len(one.tokens_in) for one in slices)
    ended = sum(one.times.n for one in slices)
    read = sum(one.read for one in slices)
    # Each part is sorted, so that sorting them joined is but a merge.
    ttft = sorted(chain.from_iterable(one.times.ttft_s for one in slices))
    tpot = sorted(chain.from_iterable(one.times.tpot_s for one in slices))
    prompts = Counter[int]()
    for one in slices:
        prompts.update(one.prompts)
    return _Traffic(
        arrivals_rps=_share(arrived, window_s),
        completed_rps=_share(ended, window_s),
        tokens_in_mean=_share(sum(sum(one.tokens_in) for one in slices), arrived),
        tokens_out_mean=_share(sum(one.times.tokens_out for one in slices), ended),
        prefix_hit_ratio=_share(sum(one.hits for one in slices), read),
        prompts=tuple((_EDGES[at], n) for at, n in sorted(prompts.items())),
        ttft_p50_s=_at(ttft, 0.5),
        ttft_p90_s=_at(ttft, 0.9),
        ttft_p95_s=_at(ttft, 0.95),
        tpot_p50_s=_at(tpot, 0.5),
        tpot_p90_s=_at(tpot, 0.9),
        tpot_p95_s=_at(tpot, 0.95),
    )


def _objective(target: float, now_s: float, tally: Tally) -> _Objective:
    minute = int(now_s) // MINUTE_S
    hour = range(minute - _HOUR, minute + 1)
    good, bad = (sum([found for at in hour if (found := by.get(at))]) for by in (tally.good, tally.bad))
    attained = _share(good, good + bad)
    spent = _share(tally.bad_total, (tally.good_total + tally.bad_total) * (1 - target))
    return _Objective(
        objective_ratio=target,
        attainment_1h_ratio=attained,
        burn_1h=_share(1 - attained, 1 - target) if attained is not None else None,
        budget_left_ratio=max(0.0, 1 - spent * min(1.0, now_s / BUDGET_S)) if spent is not None else None,
    )


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _at(ordered: Sequence[float], q: float) -> float | None:
    """Return the nearest-rank quantile."""
    return ordered[max(0, ceil(q * len(ordered) - 1e-9) - 1)] if ordered else None
