"""Gates for low traffic: every cell of the table of spec/slo.md 6, and the reasons for silence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.burn_catalogue import FIXED_WINDOWS, Severity
from slo.counts import Counts
from slo.gates import STARVED_S, Gate, GateSettings, Level, Silence, has_evidence, level, silences
from slo.windows import burn_rules, rule_over

PAGE, SLOW, TICKET, _ = burn_rules(FIXED_WINDOWS, 30 * 86_400).kept
MONTH = 1_000_000.0


def counts(eligible: int, bad: int) -> Counts:
    return Counts(eligible=eligible, bad=bad)


def failed(target: float, long: Counts, expected: float | None = None) -> list[str]:
    return [silence.gate for silence in silences(PAGE, target, long, expected)]


# spec/slo.md 6: the least bad count that passes G2.
TABLE = [
    (0.999, 14.4, [1, 2, 3, 4, 8, 21, 164]),
    (0.999, 6.0, [1, 1, 2, 3, 5, 11, 73]),
    (0.99, 14.4, [4, 6, 12, 21, 54, 163, 1498]),
    (0.99, 6.0, [2, 4, 6, 11, 25, 73, 640]),
    (0.95, 6.0, [6, 10, 21, 38, 104, 324, 3076]),
]
SIZES = [10, 20, 50, 100, 300, 1_000, 10_000]
CELLS = [
    pytest.param(target, burn, n, least, id=f"{target:%} {burn} n={n}: {least}")
    for target, burn, row in TABLE
    for n, least in zip(SIZES, row, strict=True)
]


@pytest.mark.parametrize(("target", "burn", "n", "least"), CELLS)
def test_a2_least_bad_count_with_evidence(target: float, burn: float, n: int, least: int) -> None:
    rule = rule_over(burn, 3_600, 30 * 86_400, Severity.PAGE)

    assert has_evidence(rule, target, counts(n, least))
    assert not has_evidence(rule, target, counts(n, least - 1))


def test_one_bad_of_ten_has_evidence_and_min_bad_exists_for_that() -> None:
    assert has_evidence(PAGE, 0.999, counts(10, 1))  # 0.01789 > 0.0144

    assert (Silence(gate=Gate.MIN_BAD, found=1, needed=3),) == silences(PAGE, 0.999, counts(10, 1), None)


GATES = [
    pytest.param(counts(9, 9), ["min_events"], id="nine requests"),
    pytest.param(counts(10, 10), [], id="ten requests, all bad"),
    pytest.param(counts(10, 3), [], id="three bad of ten"),
    pytest.param(counts(1_000, 2), ["min_bad", "evidence"], id="two bad of a thousand"),
    pytest.param(counts(1_000, 20), ["evidence"], id="20 of a thousand burn at 20 and prove nothing"),
    pytest.param(counts(1_000, 21), [], id="21 of a thousand"),
    pytest.param(counts(0, 0), ["min_events", "min_bad", "evidence"], id="no requests"),
]


@pytest.mark.parametrize(("long", "gates"), GATES)
def test_each_failed_gate_is_a_reason(long: Counts, gates: list[str]) -> None:
    assert gates == failed(0.999, long)


def test_a_failed_gate_says_what_it_found_and_what_it_needs() -> None:
    (evidence,) = silences(PAGE, 0.999, counts(1_000, 20), None)

    assert 0.0144 == evidence.needed
    assert 0.013 < evidence.found < 0.0144


def test_two_bad_of_five_at_night_do_not_page() -> None:
    # A million a month at 99.9 % allow 1,000 bad ones: 2 are 0.2 %, the page is for 2 %.
    weight = silences(PAGE, 0.999, counts(5, 2), MONTH)[-1]

    assert (Gate.TRAFFIC_WEIGHT, 0.002, 0.02) == (weight.gate, weight.found, weight.needed)


WEIGHTS = [
    pytest.param(19, MONTH, ["traffic_weight"], id="19 of 1,000 allowed are 1.9 %"),
    pytest.param(20, MONTH, [], id="20 are 2 %, which is enough"),
    pytest.param(19, None, [], id="what is expected is unknown"),
    pytest.param(19, 0.0, [], id="nothing is expected"),
]


@pytest.mark.parametrize(("bad", "expected", "gates"), WEIGHTS)
def test_a_page_needs_its_share_of_the_budget(bad: int, expected: float | None, gates: list[str]) -> None:
    assert gates == failed(0.999, counts(40, bad), expected)


def test_a_ticket_needs_no_traffic_weight() -> None:
    assert () == silences(TICKET, 0.999, counts(40, 19), MONTH * 1_000)


def test_a19_one_error_of_a_small_service_pages_nobody() -> None:
    # 20,000 a month at 99.9 % allow 20: one error is 5 % of them and still one error.
    assert ["min_bad", "evidence"] == failed(0.999, counts(28, 1), 20_000.0)


def test_gates_can_be_switched_off() -> None:
    off = GateSettings(min_events=0, min_bad=0, evidence=False, traffic_weight=False)

    assert () == silences(PAGE, 0.999, counts(1, 1), MONTH, off)


@settings(max_examples=50, deadline=None)
@given(eligible=st.integers(1, 10_000), data=st.data())
def test_what_may_speak_is_never_silenced_by_one_more_bad_request(eligible: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, eligible - 1))

    if not failed(0.999, counts(eligible, bad), MONTH):
        assert not failed(0.999, counts(eligible, bad + 1), MONTH)


LEVELS = [
    pytest.param({}, Level.GROUP, id="nobody starves"),
    pytest.param({Level.GROUP: STARVED_S - 1}, Level.GROUP, id="not for long enough"),
    pytest.param({Level.GROUP: STARVED_S}, Level.REGION, id="six hours"),
    pytest.param({Level.GROUP: STARVED_S, Level.REGION: STARVED_S}, Level.ENDPOINT, id="the region too"),
    pytest.param(dict.fromkeys(Level, float(STARVED_S)), Level.SERVICE, id="everyone: the widest there is"),
]


@pytest.mark.parametrize(("starved", "chosen"), LEVELS)
def test_a_starved_group_is_judged_in_a_wider_one(starved: dict[Level, float], chosen: Level) -> None:
    assert chosen is level(starved)
