"""A P99 above what a request may take: both readings, which limit holds, and what is not known."""

from collections.abc import Mapping

import pytest

from slo.expression import parse
from slo.jump import Verdict
from slo.objective import Indicator, Objective, Rolling
from slo.rules.p99_limit import SLA_S, P99LimitRule
from slo.rules.rule import Found, Row, Settings
from telemetry.histogram import build
from telemetry.store import Store

PAGE, SILENT = Verdict.PAGE, Verdict.SILENT
RULE = P99LimitRule(settings=Settings(options={"sla_s": SLA_S}))
BARE = P99LimitRule(settings=Settings())
FAST_US, SLOW_US = 100_000, 2_000_000


def made(slow: int, n: int, *, last: tuple[int, int] | None = None, bad: int = 0, figure: str = "e2e") -> Row:
    """Return an answer: slow and all requests of the short and long window alike; the other figure took no time."""
    spans = [(slow, n) if last is None else last, (slow, n), (slow, n)]
    histograms = [build([SLOW_US] * slow + [FAST_US] * (of - slow - bad)) for slow, of in spans]
    calm = [build([0] * of) for _, of in spans]
    return {
        "endpoint": "chat",
        "model": "m",
        "eligible": [of for _, of in spans],
        "bad": [bad] * 3,
        "e2e_h": histograms if figure == "e2e" else calm,
        "ttft_h": histograms if figure == "ttft" else calm,
        "abandon_h": [build([])] * 3,
    }


def found(row: Row, rule: P99LimitRule = RULE) -> dict[str, Found]:
    return {one.labels.get("figure", ""): one for one in rule.judge(0, {"slowness": [row]})}


def limited(**options: float) -> P99LimitRule:
    return P99LimitRule(settings=Settings(options=options))


def objective(good: str, only: str) -> Objective:
    indicator = Indicator(good=parse(good), only=parse(only))
    return Objective(name="a", service="s", target=0.99, window=Rolling(length_s=86_400), indicator=indicator)


@pytest.mark.parametrize(
    ("slow", "n", "sound", "naive"),
    [
        (1, 60, SILENT, PAGE),
        (2, 100, SILENT, PAGE),
        (3, 100, PAGE, PAGE),
        (12, 1_000, SILENT, PAGE),
        (15, 1_000, SILENT, PAGE),
        (16, 1_000, PAGE, PAGE),
        (10, 1_000, SILENT, SILENT),
        (116, 10_000, SILENT, PAGE),
        (117, 10_000, PAGE, PAGE),
        (0, 0, SILENT, SILENT),
    ],
)
def test_a13_one_slow_call_of_sixty_pages_nobody(slow: int, n: int, sound: Verdict, naive: Verdict) -> None:
    """slo.md 13: n = 1,000 needs 16 slow ones, naively 11; 10,000 need 117."""
    one = found(made(slow, n))["e2e"]

    assert (one.sound, one.naive, one.bad, one.is_known) == (sound, naive, slow, True)


def test_both_readings_are_put_into_words() -> None:
    assert found(made(1, 60))["e2e"].words == {
        "summary": "chat m: 1 of 60 (1.67%) took more than 0.88 s to the whole request or failed over 5m,"
        " 1 of 60 (1.67%) over 1h; allowed is 1 %",
        "naive": "the P99 of 60 requests over 5m is slower",
        "limit_s": "0.88",
    }


def test_failed_requests_are_slow_and_a_hiccup_is_over_when_the_last_minute_is() -> None:
    assert found(made(0, 1_000, bad=16))["e2e"].sound is PAGE
    assert found(made(30, 1_000, last=(0, 50)))["e2e"].sound is SILENT


def test_clients_that_waited_too_long_and_left_are_slow() -> None:
    """slo.md 3: cancelled before the first token, elapsed above the limit: bad; below it: excluded."""
    left = [build([SLOW_US] * 17 + [FAST_US] * 50)] * 3
    one = found({**made(0, 1_000), "abandon_h": left})["e2e"]

    assert (one.sound, one.bad) == (PAGE, 17)
    assert "17 of 1017" in one.words["summary"]


def test_what_may_be_fast_enough_is_not_slow() -> None:
    """A bucket that 1.1 times the limit cuts says nothing: that of 2 s begins at 1.915 s."""
    assert found(made(100, 1_000), limited(sla_s=1.9 / 1.1))["e2e"].sound is PAGE
    assert found(made(100, 1_000), limited(sla_s=1.99 / 1.1))["e2e"].sound is SILENT


@pytest.mark.parametrize(
    ("rule", "figures"),
    [
        pytest.param(RULE, {"e2e": SILENT}, id="whole requests"),
        pytest.param(limited(ttft_s=1.0), {"ttft": PAGE}, id="a limit of one figure is the only one"),
        pytest.param(limited(ttft_s=1.0, sla_s=5.0), {"ttft": PAGE, "e2e": SILENT}, id="limits of both"),
        pytest.param(
            P99LimitRule(settings=Settings(), objectives=[objective("ttft_s <= 1", "endpoint == 'chat'")]),
            {"ttft": PAGE},
            id="what its objective says",
        ),
        pytest.param(
            P99LimitRule(settings=Settings(), objectives=[objective("ttft_s <= 1", "endpoint == 'mail'")]),
            {"": SILENT},
            id="what an objective of another endpoint says is not its",
        ),
        pytest.param(
            P99LimitRule(
                settings=Settings(options={"ttft_s": 3.0}), objectives=[objective("ttft_s <= 1", "endpoint == 'chat'")]
            ),
            {"ttft": SILENT},
            id="what is configured holds against an objective",
        ),
        pytest.param(
            P99LimitRule(settings=Settings(options={"ttft_s": 1.0}, threshold=2.5)), {"ttft": SILENT}, id="tolerance"
        ),
        pytest.param(
            P99LimitRule(settings=Settings(options={"ttft_s": 1.0}, min_events=1_001)), {"ttft": SILENT}, id="too few"
        ),
    ],
)
def test_the_limit_is_the_configured_one_or_the_objectives(rule: P99LimitRule, figures: Mapping[str, Verdict]) -> None:
    told = found(made(100, 1_000, figure="ttft"), rule)

    assert {figure: one.sound for figure, one in told.items()} == figures


def test_without_a_limit_nothing_is_known_and_the_naive_reading_is_shown() -> None:
    (one,) = found(made(100, 1_000), BARE).values()

    assert (one.sound, one.naive, one.is_known) == (SILENT, PAGE, False)
    assert one.labels == {"endpoint": "chat", "model": "m"}, "so the alert of a limit that is gone ends"
    assert one.words["summary"].startswith(
        "no limit is set (slo.rules.p99_over_sla.options.sla_s, or an objective); chat m: 100 of 1000 (10.00%) took"
    )


def test_the_store_answers_what_is_asked(reader: Store) -> None:
    at_s = 1_790_000_040
    rows = {name: reader.query(question) for name, question in RULE.questions(at_s).items()}

    assert isinstance(RULE.judge(at_s, rows), list)
