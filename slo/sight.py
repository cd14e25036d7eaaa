"""Knows what the store says of objectives at one instant, as facts; refuses to know how the store is asked.

Source: spec/slo.md 3 (overdue), 5 (`endpoint_down`), 7 (heartbeats, probes); `telemetry.queries` for the rows.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import inf
from typing import Any, cast

from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.alert_states import Record
from slo.buckets import Bucket, between
from slo.budget import Budget
from slo.burn_catalogue import Severity
from slo.counts import Counts
from slo.errors import CountsError
from slo.evaluation import Evaluated, Facts
from slo.objective import Traffic
from slo.outage import LONG_S, Run, is_endpoint_down, run_of, run_of_buckets
from slo.overdue import overdue
from slo.sequential import LOOK_BACK_S
from slo.telemetry_state import CAUSES, Blind, Heartbeats, ProbeSays
from slo.watched import Watched

Row = Mapping[str, Any]
Key = tuple[str, str]
"""Objective and group, the latter as the store keeps it: a JSON object."""
NO_GROUP = "{}"
_GROUPS_KEPT = 16_384
_STATES, _SEVERITIES = frozenset[str](AlertState), frozenset[str](Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the telemetry of one endpoint says of itself.

    Attributes:
        expected: Collectors that should be heard.
        fresh: Those of them that are.
        waiting_ages: Requests in flight without output, by age.
        running_ages: All requests in flight, by age.
    """

    expected: int = 0
    fresh: int = 0
    waiting_ages: Mapping[int, int] = field(default_factory=dict[int, int])
    running_ages: Mapping[int, int] = field(default_factory=dict[int, int])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is seen at one instant.

    Attributes:
        at_s: The instant.
        windows: Counts by objective and group, then by length of window.
        recent: The last buckets by objective and group, oldest first.
        heard: By endpoint.
        probes: Last results of each target, oldest first: unix time, and whether it was good.
        expected: Requests of the whole period, by objective and group.
        budgets: What is left of those that are judged slice by slice, by objective and group.
        adjusted: What is left of those out of whose period people took something.
        invalid: Those whose counts cannot be.
        wider: Which of the others are groups that others, which have too few requests, are judged in together.
        behind: Names of objectives whose last hours are still being counted.
        since_s: From where objectives are counted of which more is to be counted, by name.
        blind: Returns when in [since, until) nobody looked at an endpoint; the empty name is everything together.
    """

    at_s: int
    windows: Mapping[Key, Mapping[int, Counts]]
    recent: Mapping[Key, Sequence[Bucket]] = field(default_factory=dict[Key, Sequence[Bucket]])
    heard: Mapping[str, Heard] = field(default_factory=dict[str, Heard])
    probes: Mapping[str, Sequence[tuple[float, bool]]] = field(default_factory=dict[str, Sequence[tuple[float, bool]]])
    expected: Mapping[Key, float] = field(default_factory=dict[Key, float])
    budgets: Mapping[Key, Budget] = field(default_factory=dict[Key, Budget])
    adjusted: Mapping[Key, Budget] = field(default_factory=dict[Key, Budget])
    invalid: frozenset[Key] = frozenset()
    wider: frozenset[Key] = frozenset()
    behind: frozenset[str] = frozenset()
    since_s: Mapping[str, int] = field(default_factory=dict[str, int])
    blind: Callable[[str, int, int], tuple[Blind, ...]] = lambda _endpoint, _since_s, _until_s: ()


def facts(one: Watched, group_key: str, sight: Sight, period_s: int) -> Facts:
    """Return what is known of one objective and group.

    Args:
        one: The objective.
        group_key: The group.
        sight: What the store said.
        period_s: Length of the period now; a calendar's grows.
    """
    key = (one.objective.name, group_key)
    group = group_of(group_key)
    windows, recent = sight.windows.get(key, {}), sight.recent.get(key, ())
    endpoint = group.get("endpoint", "")
    heard = [sight.heard.get(endpoint, Heard())] if endpoint else list(sight.heard.values())
    seen, coverage = (Heartbeats.NOT_COUNTED, 0.0) if one.objective.name in sight.behind else _heartbeats(heard)
    since_s = sight.since_s.get(one.objective.name)
    counts_users = one.objective.indicator.traffic is Traffic.USER
    return Facts(
        at_s=sight.at_s,
        windows=windows,
        period=windows.get(period_s),
        budget=sight.budgets.get(key),
        adjusted=sight.adjusted.get(key),
        run=_run(recent, sight.at_s),
        recent=between(recent, sight.at_s - LOOK_BACK_S, sight.at_s),
        overdue=sum(all_overdue(one, of) for of in heard) if counts_users else 0,
        expected=sight.expected.get(key),
        seen=seen,
        coverage_ratio=coverage,
        blind=sight.blind(endpoint, sight.at_s - period_s, sight.at_s),
        counted_s=None if since_s is None else sight.at_s - since_s,
        probe=_probe([sight.probes[endpoint]] if endpoint in sight.probes else list(sight.probes.values())),
    )


def blind(at_s: int) -> Facts:
    """Return what is known while the store does not answer."""
    return Facts(at_s=at_s, windows={}, seen=Heartbeats.STORE_GONE, coverage_ratio=0.0)


def as_seen_last(now: Facts, last: Evaluated | None) -> Facts:
    """Return what is known while nobody looks: the budget is that of the last instant that was seen.

    Args:
        now: What is known; of an instant that somebody sees it stays as it is.
        last: What was evaluated at the instant before; None if nothing was.
    """
    if now.seen not in CAUSES or last is None or (last.known.is_blind and last.facts.as_of_s is None):
        return now
    return replace(now, budget=last.budget, adjusted=last.facts.adjusted, as_of_s=last.as_of_s)


def seen(heard: Mapping[str, Heard]) -> list[str]:
    """Return the endpoints that somebody told of; the empty name is everything together."""
    found = [endpoint for endpoint, of in heard.items() if of.fresh]
    return [*found, ""] if found else []


@lru_cache(maxsize=_GROUPS_KEPT)
def group_of(group_key: str) -> Mapping[str, str]:
    """Return the values that a group stands for."""
    return cast("Mapping[str, str]", json.loads(group_key or NO_GROUP))


def windows_of(
    rows: Iterable[Row], windows_s: Sequence[int], hashes: Mapping[str, int], invalid: set[Key]
) -> dict[Key, dict[int, Counts]]:
    """Read the answer to `burn_inputs`; counts of another definition are left out.

    Args:
        rows: The answer.
        windows_s: What was asked for.
        hashes: Present definitions, by name.
        invalid: Takes the objectives and groups whose counts cannot be, so that they cost the others nothing.
    """
    found: dict[Key, dict[int, Counts]] = {}
    for row in rows:
        if hashes.get(str(row["slo"])) == row["definition_hash"]:
            key = (str(row["slo"]), str(row["group_key"]))
            sums = zip(windows_s, row["eligible"], row["bad"], strict=True)
            try:
                found[key] = {length: Counts(eligible=int(eligible), bad=int(bad)) for length, eligible, bad in sums}
            except CountsError:
                invalid.add(key)
    return found


def buckets_of(rows: Iterable[Row], hashes: Mapping[str, int], invalid: set[Key]) -> dict[Key, list[Bucket]]:
    """Read the answer to `counted_buckets`; counts of another definition are left out.

    Args:
        rows: The answer.
        hashes: Present definitions, by name.
        invalid: Takes the objectives and groups whose counts cannot be.
    """
    found: dict[Key, list[Bucket]] = {}
    for row in rows:
        if hashes.get(str(row["slo"])) == row["definition_hash"]:
            key = (str(row["slo"]), str(row["group_key"]))
            try:
                counts = Counts(eligible=int(row["eligible"]), bad=int(row["eligible"]) - int(row["good"]))
            except CountsError:
                invalid.add(key)
            else:
                found.setdefault(key, []).append(Bucket(start_s=int(row["t_unix_s"]), counts=counts))
    return found


def alert_of(row: Row) -> Alert | None:
    """Read a row of the answer to `last_alert_states`; what nobody wrote down of it is unknown.

    Returns:
        None if it is no alert as we write them: another program may insert into the same table.
    """
    labels = dict(row["labels"])
    if row["to_state"] not in _STATES or labels.get("severity") not in _SEVERITIES or not labels.get("alertname"):
        return None

    def second(name: str) -> int | None:
        at_ms = row[f"{name}_unix_ms"]
        return None if at_ms is None else int(at_ms) // 1000

    record = Record(
        fingerprint=int(row["fingerprint"]),
        definition_hash=int(row["definition_hash"]),
        state=AlertState(row["to_state"]),
        at_s=second("at"),
        active_at_s=second("active_at"),
        fired_at_s=second("fired_at"),
        clear_since_s=second("clear_since"),
        resolved_at_s=second("resolved_at"),
        occurrence=int(row["occurrence"]),
    )
    return Alert(record=record, labels=labels, annotations=dict(row["annotations"]))


def heard_of(coverage: Iterable[Row], in_flight: Iterable[Row]) -> dict[str, Heard]:
    """Read the answers to `coverage` and `in_flight`."""
    ages = {str(row["endpoint"]): (_ages(row["waiting_age_h"]), _ages(row["in_flight_age_h"])) for row in in_flight}
    found: dict[str, Heard] = {}
    for row in coverage:
        name = str(row["endpoint"])
        before = found.get(name, Heard())
        waiting, running = ages.get(name, ({}, {}))
        found[name] = Heard(
            expected=before.expected + int(row["n"]),
            fresh=before.fresh + int(row["n_fresh"]),
            waiting_ages=waiting,
            running_ages=running,
        )
    return found


def probes_of(rows: Iterable[Row]) -> dict[str, list[tuple[float, bool]]]:
    """Read the answer to `last_probes`."""
    return {
        str(row["target"]): [
            (int(at) / 1000, bool(ok))
            for at, ok in zip(reversed(row["ats_unix_ms"]), reversed(row["oks"]), strict=True)
        ]
        for row in rows
    }


def lags_s(coverage: Iterable[Row]) -> Iterator[float]:
    """Return how far the collectors of each endpoint are behind; infinity where none is heard."""
    for row in coverage:
        yield inf if row["lag_ms"] is None else int(row["lag_ms"]) / 1000


def all_overdue(one: Watched, of: Heard) -> int:
    """Return the requests in flight that are bad already, each once: those without output, and those with."""
    limits = one.patience
    without = 0 if limits.first_us is None else overdue(of.waiting_ages, limits.first_us)
    if limits.whole_us is None:
        return without
    answered = {age: n - of.waiting_ages.get(age, 0) for age, n in of.running_ages.items()}
    return without + overdue(answered, limits.whole_us)


def _heartbeats(heard: Sequence[Heard]) -> tuple[Heartbeats, float]:
    expected, fresh = sum(of.expected for of in heard), sum(of.fresh for of in heard)
    if not fresh:
        return Heartbeats.ALL_STALE, 0.0
    return (Heartbeats.FRESH if fresh == expected else Heartbeats.SOME_STALE), fresh / expected


def _run(buckets: Sequence[Bucket], at_s: int) -> Run | None:
    return run_of_buckets(between(buckets, at_s - LONG_S, at_s))


def _probe(targets: Sequence[Sequence[tuple[float, bool]]]) -> ProbeSays:
    """Return what probes say: failing if those of every target do."""
    asked = [events for events in targets if events]
    if not asked:
        return ProbeSays.NONE
    return ProbeSays.FAILING if all(is_endpoint_down(run_of(events)) for events in asked) else ProbeSays.OK


def _ages(told: Mapping[Any, Any]) -> dict[int, int]:
    return {int(bucket): int(n) for bucket, n in told.items()}
