"""Knows how many replicas of a target are asked for, from what was reported and what is heard; refuses to ask for any.

Whoever scales knows the number and reports it (`POST /v1/hints/{target}/replicas`, or an ack); for ten minutes the
report is the number, whatever is heard: what is missing warms up, what is too much drains. After that, and without a
report, replicas that are heard count, and

    an unheard one counts as asked for      it may only not be heard
    unless our last hint asked for fewer    then it is what was asked for
    or it was not heard for an hour,        though its peers are: it was removed, and nobody said so
    nor reported within that time

So silence alone never makes the number smaller while it may be the telemetry that is silent; where nobody at all is
heard, the number stays. Nor does a rolling update make it larger, which starts the new one before the old one ends:
more than anybody asked for count once they have answered for five minutes.

Error: a replica that was removed by hand and not reported counts for an hour, one that was added counts after five
minutes. An update that keeps more of them answering for longer is taken for a larger fleet.

Source: spec/scaling.md 3 (no smaller number from missing data; a manual change is adopted), 6.1 (spec, warming).
"""

from dataclasses import dataclass

REPORT_S = 600
"""How long a report is the number, whatever is heard."""
SURGE_S = 300
"""How long more must answer than are asked for until they count: longer than two of a rolling update both serve."""
KNOWN_S = 3_600
"""How long an unheard replica, or a report, may still count; `telemetry.queries.hint_inputs.KNOWN_S`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Somebody said how many replicas are asked for.

    Attributes:
        at_s: When, unix time.
        replicas: How many.
    """

    at_s: int
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Replicas by what is heard of them.

    Attributes:
        up: Those that answer.
        down: Those that are asked and do not answer.
        silent: Those that answered within the hour and of which nothing arrives now.
    """

    up: int
    down: int
    silent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """How many there are.

    Attributes:
        spec: Asked for.
        ready: That take requests, unheard ones included.
        warming: Asked for and not ready.
        draining: Heard beyond what is asked for.
        coverage: Share of the ready ones that is heard; 0 where some are asked for and none was heard in an hour.
    """

    spec: int
    ready: int
    warming: int
    draining: int
    coverage: float


def spec(
    counted: Counted,
    at_s: int,
    before: int | None,
    asked: int | None,
    report: Report | None,
    more_since_s: int | None = None,
) -> int | None:
    """Return how many are asked for; None if nothing was ever heard of any.

    Args:
        counted: What is heard.
        at_s: The instant.
        before: How many were asked for at the last instant; None before the first.
        asked: How many our last hint asked for; None before the first.
        report: The last report; None without one.
        more_since_s: Since when more answer than are asked for; None if they do not.
    """
    if report is not None and at_s - report.at_s <= REPORT_S:
        return report.replicas
    heard = counted.up + counted.down
    known = heard + counted.silent
    reported = report.replicas if report is not None and at_s - report.at_s <= KNOWN_S else 0
    if before is None:
        return max(known, reported) or None
    if not heard:
        return before
    limit = asked if asked is not None and asked < before else max(known, reported)
    top = max(before, asked or 0, reported)
    more = counted.up if more_since_s is not None and at_s - more_since_s >= SURGE_S else 0
    return max(min(heard, top), min(before, limit), more)


def replicas(counted: Counted, asked_for: int, *, is_loading: bool) -> Replicas:
    """Return how many there are of those that are asked for.

    Args:
        counted: What is heard.
        asked_for: How many are asked for.
        is_loading: Whether none was heard because all are new.
    """
    silent = min(counted.silent, max(0, asked_for - counted.up - counted.down))
    serving = counted.up + silent
    ready = min(serving, asked_for)
    coverage = counted.up / serving if serving else 1.0
    if not serving and not counted.down and asked_for and not is_loading:
        coverage = 0.0
    return Replicas(
        spec=asked_for,
        ready=ready,
        warming=asked_for - ready,
        draining=max(0, counted.up + counted.down - asked_for),
        coverage=coverage,
    )
