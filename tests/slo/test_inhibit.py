"""Which alert speaks: the fastest rule, the page, the wider group; and that nobody is muted by a lesser one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.burn import BurnReading, read
from slo.burn_catalogue import FIXED_WINDOWS, Severity
from slo.counts import Counts
from slo.inhibit import EXPLAINS_RATIO, INHIBITIONS, Firing, Inhibition, Kind, inhibited, newly_told, speakers
from slo.windows import burn_rules

LABELS = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(["", "a", "b"]) for name in ("slo", "service", "endpoint", "region", "replica")}
)
ANY = st.lists(
    st.builds(
        Firing,
        fingerprint=st.integers(0, 40),
        labels=LABELS,
        severity=st.sampled_from(Severity),
        kind=st.sampled_from(Kind),
        bad=st.one_of(st.none(), st.integers(0, 9)),
    ),
    max_size=14,
    unique_by=lambda one: one.fingerprint,
)
PAGE, TICKET = Severity.PAGE, Severity.TICKET
RULES = burn_rules(FIXED_WINDOWS, 30 * 86_400).kept


def readings(bad: int) -> list[BurnReading]:
    """All four rules at the same ratio: burn 1 is 10 bad of 10,000 at 99.9 %."""
    counts = Counts(eligible=10_000, bad=bad)
    return [read(rule, 0.999, counts, counts) for rule in reversed(RULES)]


def test_the_fastest_rule_of_each_severity_speaks_and_the_others_are_named() -> None:
    found = speakers(readings(200))

    assert (14.4, [6.0]) == (found[PAGE].reading.rule.burn, [one.rule.burn for one in found[PAGE].also_true])
    assert (3.0, [1.0]) == (found[TICKET].reading.rule.burn, [one.rule.burn for one in found[TICKET].also_true])


def test_a_severity_without_a_true_rule_is_silent() -> None:
    assert {TICKET} == set(speakers(readings(50)))
    assert {} == speakers(readings(9))


def alert(
    fingerprint: int, severity: Severity, kind: Kind = Kind.BURN, bad: int | None = None, **labels: str
) -> Firing:
    return Firing(fingerprint=fingerprint, labels=labels, severity=severity, kind=kind, bad=bad)


def held(*firing: Firing) -> dict[int, str]:
    return {fingerprint: name for fingerprint, (_, name) in inhibited(firing).items()}


def test_a9_page_over_ticket_of_the_same_objective() -> None:
    page, ticket = alert(1, PAGE, slo="chat"), alert(2, TICKET, slo="chat")

    assert {2: "page over ticket"} == held(ticket, page)
    assert {2: (1, "page over ticket")} == inhibited([page, ticket])
    assert {} == held(page, alert(2, TICKET, slo="other"))
    assert {} == held(page, alert(2, PAGE, Kind.ERRORS, slo="chat"))
    assert {} == held(alert(1, PAGE, slo="chat", region="eu"), alert(2, TICKET, slo="chat", region="us"))
    assert {} == held(alert(1, PAGE, endpoint="e"), alert(2, TICKET, endpoint="e"))  # neither belongs to an objective


def test_a9_the_ticket_is_told_once_when_the_page_is_over() -> None:
    page, ticket = alert(1, PAGE, slo="chat"), alert(2, TICKET, slo="chat")
    told: set[int] = set()
    steps: list[tuple[int, ...]] = []
    for firing in ([page, ticket], [page, ticket], [ticket], [ticket]):
        new = newly_told([one.fingerprint for one in firing], told, inhibited(firing))
        steps.append(new)
        told |= set(new)

    assert [(1,), (), (2,), ()] == steps


DEFAULTS = [
    pytest.param(
        alert(1, PAGE, Kind.DOWN, endpoint="e"), alert(2, PAGE, Kind.LATENCY, endpoint="e"), "endpoint down", id="down"
    ),
    pytest.param(
        alert(1, PAGE, Kind.DOWN, endpoint="e"), alert(2, PAGE, Kind.LATENCY, endpoint="f"), None, id="down elsewhere"
    ),
    pytest.param(
        alert(1, PAGE, Kind.DOWN, endpoint="e"), alert(2, PAGE, Kind.ERRORS, endpoint="e"), None, id="errors are told"
    ),
    pytest.param(
        alert(1, PAGE, Kind.BLIND, slo="s"), alert(2, PAGE, slo="s"), "blind", id="blind over what is derived"
    ),
    pytest.param(
        alert(1, TICKET, Kind.BLIND, slo="s"),
        alert(2, PAGE, slo="s"),
        None,
        id="a ticket mutes no page, and no page explains a gap in telemetry",
    ),
    pytest.param(
        alert(1, PAGE, Kind.BLIND, slo="s", endpoint="e", service="a"),
        alert(2, PAGE, Kind.ERRORS, alertname="error_rate_jump", endpoint="e"),
        "blind endpoint",
        id="blind over a built-in rule of the same endpoint",
    ),
    pytest.param(
        alert(1, PAGE, Kind.ERROR_CLASS, 81, endpoint="e", model="m"),
        alert(2, PAGE, Kind.ERRORS, 100, endpoint="e", model="m"),
        "class of errors",
        id="a class over all errors that it explains",
    ),
    pytest.param(
        alert(1, PAGE, Kind.ERRORS, 100, endpoint="e", model="m"),
        alert(2, PAGE, Kind.ERROR_CLASS, 79, endpoint="e", model="m"),
        "all errors",
        id="all errors over a class that is a part of them",
    ),
    pytest.param(
        alert(1, PAGE, Kind.ERRORS, 80, endpoint="e", model="m"),
        alert(2, PAGE, Kind.LATENCY, 100, endpoint="e", model="m"),
        "errors, not slowness",
        id="failures over a slowness that is made of them",
    ),
    pytest.param(
        alert(1, PAGE, Kind.BURN, 90, slo="s", service="a", endpoint="e"),
        alert(2, PAGE, Kind.ERRORS, 100, endpoint="e", model="m"),
        "burning objective",
        id="a burning objective over a built-in rule that it explains",
    ),
    pytest.param(
        alert(1, PAGE, Kind.BURN, 90, slo="s", service="a", endpoint="e", model="n"),
        alert(2, PAGE, Kind.ERRORS, 100, endpoint="e", model="m"),
        None,
        id="an objective of another model",
    ),
    pytest.param(
        alert(1, PAGE, Kind.ERRORS, 79, endpoint="e", model="m"),
        alert(2, PAGE, Kind.LATENCY, 100, endpoint="e", model="m"),
        None,
        id="a slowness that failures do not explain",
    ),
    pytest.param(
        alert(1, PAGE, Kind.INVALID, slo="s", endpoint="e"),
        alert(2, PAGE, Kind.ERRORS, alertname="error_rate_jump", endpoint="e"),
        None,
        id="counts of one objective that cannot be say nothing of its endpoint",
    ),
    pytest.param(alert(1, PAGE, Kind.INVALID, slo="s"), alert(2, PAGE, slo="s"), "blind", id="but of their objective"),
    pytest.param(
        alert(1, PAGE, alertname="oom", endpoint="e"),
        alert(2, TICKET, alertname="oom", endpoint="e"),
        "page over ticket of one rule",
        id="a built-in rule's page over its ticket",
    ),
    pytest.param(
        alert(1, PAGE, Kind.OTHER, alertname="NotifierFailing", channel="pager"),
        alert(2, TICKET, Kind.OTHER, alertname="NotifierFailing", channel="hook"),
        None,
        id="the page of one channel, the ticket of another",
    ),
    pytest.param(
        alert(1, PAGE, Kind.DOWN, endpoint="e", service="a", slo="s"),
        alert(2, PAGE, Kind.LATENCY, endpoint="e"),
        "endpoint down",
        id="nobody there over a built-in rule, which has no service",
    ),
    pytest.param(
        alert(1, PAGE, Kind.OOM, endpoint="e", service="e"),
        alert(2, PAGE, Kind.ERRORS, endpoint="e", service="s", model="m"),
        "out of memory",
        id="oom, of whatever service its models are",
    ),
    pytest.param(
        alert(1, PAGE, bad=80, slo="s", service="a"),
        alert(2, PAGE, bad=100, slo="s", service="a", region="eu"),
        "wider group",
        id="a service over its region, with 80 % of the bad",
    ),
    pytest.param(
        alert(1, PAGE, bad=79, slo="s", service="a"),
        alert(2, PAGE, bad=100, slo="s", service="a", region="eu"),
        None,
        id="79 % explain too little",
    ),
    pytest.param(
        alert(1, PAGE, bad=90, slo="s", region="eu"),
        alert(2, PAGE, bad=90, slo="s", region="us", endpoint="e"),
        None,
        id="another region",
    ),
    pytest.param(
        alert(1, PAGE, bad=90, slo="s", region="eu"),
        alert(2, PAGE, bad=90, slo="s", endpoint="e"),
        None,
        id="an endpoint of which the region is unknown",
    ),
    pytest.param(
        alert(1, PAGE, bad=90, slo="s", endpoint="e"),
        alert(2, PAGE, bad=90, slo="s", endpoint="e", replica="r"),
        "wider group",
        id="an endpoint over its replica",
    ),
    pytest.param(
        alert(1, PAGE, slo="s"), alert(2, PAGE, bad=90, slo="s", region="eu"), None, id="unknown counts explain nothing"
    ),
    pytest.param(
        alert(1, PAGE, Kind.ERRORS, bad=90, slo="s"),
        alert(2, PAGE, Kind.BURN, bad=90, slo="s", region="eu"),
        None,
        id="of another kind",
    ),
]


@pytest.mark.parametrize(("speaker", "other", "name"), DEFAULTS)
def test_default_inhibitions(speaker: Firing, other: Firing, name: str | None) -> None:
    assert EXPLAINS_RATIO == 0.8
    assert ({other.fingerprint: name} if name else {}) == held(other, speaker)


FIRINGS = st.lists(
    st.builds(
        Firing,
        fingerprint=st.integers(0, 50),
        labels=st.dictionaries(
            st.sampled_from(["slo", "service", "region", "endpoint", "replica"]), st.sampled_from(["a", "b"])
        ),
        severity=st.sampled_from(Severity),
        kind=st.sampled_from(Kind),
        bad=st.none() | st.integers(0, 100),
    ),
    max_size=8,
    unique_by=lambda one: one.fingerprint,
)
EVERYTHING = Inhibition(name="everything", by=None, of=None, equal=("slo",))


@given(firing=FIRINGS, rules=st.sampled_from([INHIBITIONS, (*INHIBITIONS, EVERYTHING)]), order=st.randoms())
@settings(max_examples=50, deadline=None)
def test_whoever_is_held_back_is_spoken_for_by_one_that_is_told(
    firing: list[Firing], rules: tuple[Inhibition, ...], order: object
) -> None:
    found = inhibited(firing, rules)
    severity = {one.fingerprint: one.severity for one in firing}
    shuffled = sorted(firing, key=lambda one: hash((str(order), one.fingerprint)))

    assert found == inhibited(shuffled, rules)
    for held_back in found:
        at, seen = held_back, set[int]()
        while at in found:
            assert at not in seen
            seen.add(at)
            at = found[at][0]
        assert severity[at] is PAGE or severity[held_back] is TICKET


@given(ANY)
def test_who_is_held_back_is_what_comparing_each_with_each_finds(firing: list[Firing]) -> None:
    """The law in its plain form, alone for each pair: two that fire by themselves show whether one speaks."""
    rank = {PAGE: 0, TICKET: 1}
    width = {"replica": 0, "endpoint": 1, "region": 2}

    def loudness(one: Firing) -> tuple[int, int, int]:
        widest = next((n for name, n in width.items() if one.labels.get(name)), 3)
        return rank[one.severity], -widest, one.fingerprint

    expected: dict[int, tuple[int, str]] = {}
    ordered = sorted(firing, key=loudness)
    for one in ordered:
        for other in ordered:
            by = inhibited([one, other]).get(one.fingerprint) if other is not one else None
            if by and other.fingerprint not in expected:
                expected[one.fingerprint] = by
                break

    assert inhibited(firing) == expected
