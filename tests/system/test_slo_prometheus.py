"""The same requests seen by ours and by a real Prometheus 2.42, as rows and as counters that it scraped.

Prometheus evaluates the rules that `inferometer slo export --format prometheus` writes, each burn gauge put together
from the counters as the exported Sloth spec says. It is asked for its rules at every instant by a range query.

In the lives of `slo_worlds` counters say all. There the burn rules alone are compared, pages and tickets: ours without
its gates and without the rules that Prometheus does not have (a run of failures, a proven burn), which would fire
sooner, or not at all. Both ends of every alert lie within two evaluation intervals. A span ends where its condition
does: ours resolves two minutes (tickets: ten) later, which is taken off, and Prometheus is read with the same
`keep_firing_for`. Ours holds an alert while a burn is above nine tenths of a rule's; where that shows (`lingers`) it
ends later than by the plain rule, and together with that of a Prometheus that is asked for nine tenths.

In the worlds of `slo_blind_spots` counters do not say all, and ours is as it comes, gates and all rules.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
import slo_blind_spots as spots
from slo_blind_spots import FAULT_S, MINUTE_S
from slo_watchers import Lived, Prometheus, Span, lived, prometheus
from slo_worlds import CASES, STEP_S, Case, World, world

from slo.burn import NEAR_RATIO
from slo.burn_catalogue import DAY_S, Severity
from slo.gates import Gate, GateSettings
from slo.prometheus_rules import BAD, ELIGIBLE

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

WITHIN_S = 2 * STEP_S
PAGE, TICKET = Severity.PAGE, Severity.TICKET
NO_GATES = GateSettings(min_events=0, min_bad=0, evidence=False, traffic_weight=False)
BLIND_SPOTS: tuple[Callable[[], World], ...] = (
    spots.quiet_night,
    spots.lost_scrapes,
    spots.lost_replica,
    spots.no_traffic,
    spots.dying_replica,
    spots.short_lived_replicas,
    spots.late_rows,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A world, and what each watcher made of it; by Prometheus also when it holds an alert at nine tenths."""

    world: World
    ours: Lived
    plain: dict[Severity, list[Span]]
    held: dict[Severity, list[Span]]

    def of_ours(self, severity: Severity) -> list[Span]:
        return self.ours.of(self.world, severity)

    @property
    def row(self) -> tuple[str, ...]:
        both = [(self.plain[severity], self.of_ours(severity)) for severity in Severity]
        return (self.world.name, *(minutes(spans) for pair in both for spans in pair))


def table(rows: Sequence[Seen]) -> Iterator[str]:
    """Yield lines: minutes after the fault at which an alert fires and at which its condition ends."""
    cells = [("", "page: Prometheus", "page: ours", "ticket: Prometheus", "ticket: ours"), *(one.row for one in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def minutes(spans: Sequence[Span]) -> str:
    ends = [[None if at_s is None else (at_s - FAULT_S) / MINUTE_S for at_s in span] for span in spans]
    return ", ".join(f"{a:g} to {'end' if b is None else f'{b:g}'}" for a, b in ends) or "-"


def at(minute: float) -> float:
    """Return the unix time of a minute after the fault."""
    return FAULT_S + minute * MINUTE_S


def plainly(one: World) -> World:
    """Return a world that only the burn rules look at, without gates."""
    burning = tuple(rule for rule in one.one.rules if rule.gated_by is not None)
    return replace(one, one=replace(one.one, gates=NO_GATES, rules=burning))


def close(ours: Sequence[Span], theirs: Sequence[Span]) -> bool:
    """Say whether two histories of an alert have the same spans, each end within two intervals."""
    pairs = [pair for one, other in zip(ours, theirs, strict=False) for pair in zip(one, other, strict=True)]
    return len(ours) == len(theirs) and all(
        abs(a - b) <= WITHIN_S if a is not None and b is not None else a is b for a, b in pairs
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, dict[str, World]]]:
    worlds = {case.name: plainly(world(case, seed)) for seed, case in enumerate(CASES)}
    worlds |= {make.__name__: make() for make in BLIND_SPOTS}
    with prometheus(list(worlds.values()), tmp_path_factory.mktemp("prometheus")) as running:
        yield running, worlds


@pytest.fixture(scope="module")
def seen(server: tuple[Prometheus, dict[str, World]]) -> dict[str, Seen]:
    asked, worlds = server
    lingering = {case.name for case in CASES if case.lingers}
    found: dict[str, Seen] = {}
    for key, one in worlds.items():
        plain = {severity: asked.spans(one, severity) for severity in Severity}
        held = (
            {severity: asked.spans(one, severity, NEAR_RATIO) for severity in Severity} if key in lingering else plain
        )
        found[key] = Seen(one, lived(one), plain, held)
    return found


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_alerts_stand_when_those_of_prometheus_do(seen: dict[str, Seen], case: Case) -> None:
    found = seen[case.name]
    ours = {severity: found.of_ours(severity) for severity in Severity}
    starts = [
        (one[0], other[0])
        for severity in Severity
        for one, other in zip(ours[severity], found.plain[severity], strict=True)
    ]

    assert all(close(ours[severity], found.held[severity]) for severity in Severity), found.held
    assert all(abs(one - other) <= WITHIN_S for one, other in starts)
    assert case.lingers is not all(close(ours[severity], found.plain[severity]) for severity in Severity)


def test_the_lives_are_many_and_not_all_alike(seen: dict[str, Seen], server: tuple[Prometheus, object]) -> None:
    found = [seen[case.name] for case in CASES]
    pages, tickets = ([bool(one.plain[severity]) for one in found] for severity in Severity)
    spans = [span for one in found for severity in Severity for span in one.plain[severity]]

    print(f"Prometheus {server[0].version()}, minutes after the fault", *table(found), sep="\n")
    print("held above nine tenths of a burn:", *(case.name for case in CASES if case.lingers), sep="\n    ")
    assert sum(not case.lingers for case in CASES) >= 30
    assert (sum(pages) >= 25, sum(tickets) >= 15) == (True, True)
    assert sum(not page and not ticket for page, ticket in zip(pages, tickets, strict=True)) >= 5
    assert all(end_s is not None for _, end_s in spans)


def test_the_comparison_sees_a_target_that_is_a_tenth_stricter(server: tuple[Prometheus, dict[str, World]]) -> None:
    asked, worlds = server
    one = worlds["2 % errors for 2 h"]
    stricter = replace(one, one=replace(one.one, objective=replace(one.one.objective, target=0.9991)))

    assert not close(asked.spans(one, PAGE), asked.spans(stricter, PAGE))


def test_the_table_of_blind_spots(seen: dict[str, Seen]) -> None:
    """Each row is asserted by a test below."""
    found = [seen[make.__name__] for make in BLIND_SPOTS]
    head, *rows = table(found)

    print("Minutes after the fault", head, sep="\n")
    for make, row, one in zip(BLIND_SPOTS, rows, found, strict=True):
        others = [f"{name} {severity} {minutes(spans)}" for (name, severity), spans in one.ours.spans.items()]
        others = [text for text in others if not text.startswith(one.world.name)]
        print(row, f"    {make.__doc__}", sep="\n")
        said = [", ".join(words) or "-" for words in (others, sorted(one.ours.gates))]
        print(f"    ours beside it: {said[0]}; gates that spoke: {said[1]}")
    assert all(one.plain[PAGE] != one.of_ours(PAGE) for one in found)


def test_a_quiet_night_wakes_nobody_and_says_why(seen: dict[str, Seen]) -> None:
    found = seen["quiet_night"]

    assert len(found.plain[PAGE]) == 1
    assert found.ours.spans == {}
    assert found.ours.gates == {Gate.MIN_EVENTS, Gate.MIN_BAD, Gate.TRAFFIC_WEIGHT}


def test_an_alert_outlives_lost_scrapes(seen: dict[str, Seen]) -> None:
    found = seen["lost_scrapes"]
    (_, resolved_s), (again_s, _) = found.plain[PAGE]
    ((start_s, end_s),) = found.of_ours(PAGE)

    assert at(10) < (resolved_s or 0) < at(20) < again_s < at(40), "Prometheus resolves while all fails"
    assert start_s < at(10) < at(40) < (end_s or 0)
    assert list(found.ours.spans) == [(found.world.name, PAGE), ("SLOBlind", TICKET)]


def test_an_alert_outlives_the_loss_of_the_replica_that_fails(seen: dict[str, Seen]) -> None:
    found = seen["lost_replica"]
    ((_, resolved_s),), ((_, end_s),) = found.plain[PAGE], found.of_ours(PAGE)

    assert at(20) < (resolved_s or 0) < at(75), "Prometheus resolves while half fails"
    assert (end_s or 0) > at(75)
    assert ("TelemetryGap", TICKET) in found.ours.spans


def test_an_outage_without_requests_is_no_recovery(
    seen: dict[str, Seen], server: tuple[Prometheus, dict[str, World]]
) -> None:
    """The mean of 5 min ratios, by which Sloth tells what is left of a budget, is NaN for as long as it looks back."""
    found = seen["no_traffic"]
    ((_, resolved_s),), ((_, end_s),) = found.plain[PAGE], found.of_ours(PAGE)
    bad, eligible = (f"sum(rate({name}{{slo={json.dumps(found.world.name)}}}[5m]))" for name in (BAD, ELIGIBLE))
    ratios = f"({bad} / {eligible})[1d:30s]"
    mean = server[0].last(f"sum_over_time({ratios}) / count_over_time({ratios})", found.world)

    assert (resolved_s or 0) < at(70), "Prometheus resolves while nobody is there"
    assert (end_s or 0) >= at(70)
    ((down_s, up_s),) = found.ours.spans["EndpointDown", PAGE]
    assert at(10) < down_s < at(20) < at(70) <= (up_s or 0)
    assert mean == "NaN"
    assert found.ours.last is not None
    assert 7 < found.ours.last.burn[DAY_S] < 8, "20 x 300 of 1,020,000 or so at 99.9 %"


@pytest.mark.parametrize("name", ["dying_replica", "short_lived_replicas"])
def test_failures_that_no_counter_lived_to_tell_are_told(seen: dict[str, Seen], name: str) -> None:
    found = seen[name]
    ((start_s, end_s),) = found.of_ours(PAGE)

    assert (found.plain[PAGE], found.plain[TICKET]) == ([], [])
    assert at(0) < start_s < at(10) < at(59) < (end_s or 0)


def test_an_outage_that_is_told_when_it_is_over_wakes_nobody(seen: dict[str, Seen]) -> None:
    found = seen["late_rows"]
    ((start_s, _),) = found.plain[PAGE]

    assert start_s > at(45), "Prometheus pages for what ended 35 minutes ago"
    assert found.of_ours(PAGE) == []
    assert [at(45) < fired_s < at(47) for fired_s, _ in found.of_ours(TICKET)] == [True]
