"""`p99_drift` on a real store: A14, and what is no drift."""

from collections.abc import Iterator

import pytest
from past_requests import DAY_S, HOUR_S, NOW_S, Change, found_by_endpoint, insert

from slo.expression import parse
from slo.jump import Verdict
from slo.objective import Indicator, Objective, Rolling
from slo.rules.catalogue import rules
from slo.rules.drift import P99DriftRule
from slo.rules.rule import Found, Settings
from telemetry.outcome import Eligibility, Outcome
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

PER_DAY = 10 ** (1 / 14)  # A14: tenfold in 14 days, 17.9 % a day
RULE, OF_SIX_HOURS, OF_TWO_HOURS = (
    P99DriftRule(settings=Settings(window_s=hours and hours * HOUR_S, options={"anchor_s": 0.8}))
    for hours in (None, 6, 2)
)
BY_LENGTH = P99DriftRule(settings=Settings(options={"anchor_s": 0.2, "anchor_s_per_token": 0.0002}))
DAYS = range(2, 16)
"""Those of A14 that are stored: the last one ends now."""


def hour(back_s: float, ttft_s: float, n: int = 120, slow: int = 120, **change: object) -> Iterator[Change]:
    for at in range(n):
        us = round(ttft_s * 1e6) if at < slow else 400_000
        yield NOW_S - back_s + at * HOUR_S / n, {"ttft_us": us, **change}


def a14() -> Iterator[Change]:
    for day in DAYS:
        for at in range(2, 25, 2):
            back_s = (DAYS[-1] + 1 - day) * DAY_S - (at - 1) * HOUR_S
            # A P99 of an hour is known of two hours a day.
            n, slow = (120, 6) if at in {4, 24} else (12, 1)
            yield from hour(back_s, 0.8 * PER_DAY**day, n, slow)


def ended(outcome: Outcome, eligible: Eligibility, elapsed_s: float, n: int) -> Iterator[Change]:
    change = {"ttft_us": None, "n_out_events": 0, "e2e_us": None, "outcome": outcome, "eligible": eligible}
    for _ in range(n):
        yield NOW_S - 60, {**change, "elapsed_us": round(elapsed_s * 1e6)}


def six_hours(last_slow: int, others_slow: int) -> Iterator[Change]:
    for at in range(6):
        yield from hour((at + 1) * HOUR_S, 20.0, n=100, slow=others_slow if at else last_slow)


def two_an_hour(apart: bool) -> Iterator[Change]:
    """Yield six hours of a hundred requests, of which two are slow: in one minute, or in two."""
    for back in range(1, 7):
        slow = (0, 50 if apart else 1)
        for at in range(100):
            yield NOW_S - back * HOUR_S + at * 36, {"ttft_us": 3_000_000 if at in slow else 400_000}


def left() -> Iterator[Change]:
    yield from hour(HOUR_S, 0.4)
    yield from ended(Outcome.CLIENT_CANCELLED, Eligibility.CENSORED, 5, 10)
    yield from ended(Outcome.CLIENT_CANCELLED, Eligibility.CENSORED, 0.1, 10)
    yield from ended(Outcome.OVERLOADED, Eligibility.BAD, 5, 100)


def longer() -> Iterator[Change]:
    yield from hour(DAY_S + HOUR_S, 0.2, tokens_in=1_000)
    yield from hour(HOUR_S, 3.0, tokens_in=20_000)
    yield from hour(HOUR_S, 60.0, n=10, tokens_in=None)


@pytest.fixture(scope="module")
def store(process: StoreProcess) -> Iterator[Store]:
    writer, reader = process.store("writer"), process.store("reader")
    past = {
        "drift-a14": a14(),
        "drift-bad-hour": six_hours(100, 0),
        "drift-undone": six_hours(0, 100),
        "drift-together": two_an_hour(apart=False),
        "drift-apart": two_an_hour(apart=True),
        "drift-longer": longer(),
        "drift-left": left(),
        "drift-pinned": [*hour(10 * DAY_S, 0.2), *hour(HOUR_S, 0.9)],
        "drift-edge": hour(HOUR_S, 2.41),
        "drift-few": hour(HOUR_S, 9.0, n=99),
        "drift-gone": hour(5 * HOUR_S, 9.0),
        "drift-long-gone": hour(3 * DAY_S, 9.0),
    }
    insert(writer, past)
    yield reader
    reader.close()
    writer.close()


@pytest.fixture(scope="module")
def found(store: Store) -> dict[str, Found]:
    return found_by_endpoint(store, RULE)


def test_a14_a_drift_of_17_9_percent_a_day_is_told_though_no_day_is_much_worse_than_the_last(store: Store) -> None:
    by_day = {
        day: found_by_endpoint(store, RULE, NOW_S - (15 - day) * DAY_S)["drift-a14"] for day in (5, 6, 7, 10, 14, 15)
    }

    # 0.8 s * 1.179^day is above 2.4 s from day 7 on, and above 8 s after day 14.
    silent, ticket, page = Verdict.SILENT, Verdict.TICKET, Verdict.PAGE
    assert [silent, silent, ticket, ticket, ticket, page] == [one.sound for one in by_day.values()]
    assert {silent} == {one.naive for one in by_day.values()}
    assert by_day[15].words == {
        "summary": "drift-a14 m: 22 of 360 first outputs took more than 3 times, 22 more than 10 times 0.8 s",
        "limit_s": "2.4",
        "naive": "P99 day over day: 1.19",  # of histograms, which err by 4.4 % at most
        "trend": "+17.2% a day over 7 d, significant",  # the same error
    }


def test_one_terrible_hour_is_no_drift_and_a_drift_that_is_undone_ends_with_the_next_hour(
    store: Store,
) -> None:
    found, before = (found_by_endpoint(store, OF_SIX_HOURS, at_s) for at_s in (NOW_S, NOW_S - HOUR_S))

    assert (Verdict.SILENT, True, 100) == (
        found["drift-bad-hour"].sound,
        found["drift-bad-hour"].is_known,
        found["drift-bad-hour"].bad,
    )
    assert (Verdict.SILENT, True, 500) == (
        found["drift-undone"].sound,
        found["drift-undone"].is_known,
        found["drift-undone"].bad,
    )
    assert Verdict.PAGE is before["drift-undone"].sound


def test_an_hour_alone_is_no_drift_though_no_other_was_well(store: Store, found: dict[str, Found]) -> None:
    alone, of_two = found["drift-edge"], found_by_endpoint(store, OF_TWO_HOURS)["drift-edge"]

    assert (Verdict.SILENT, False, 120) == (alone.sound, alone.is_known, alone.bad)
    assert (Verdict.TICKET, True, 120) == (of_two.sound, of_two.is_known, of_two.bad), "it is half of the window"


def test_slow_requests_that_come_together_prove_less(store: Store) -> None:
    found = found_by_endpoint(store, OF_SIX_HOURS)

    assert (Verdict.TICKET, 12) == (found["drift-apart"].sound, found["drift-apart"].bad)
    assert (Verdict.SILENT, 12) == (found["drift-together"].sound, found["drift-together"].bad)


def test_longer_prompts_are_no_drift_where_day_over_day_says_they_are(store: Store) -> None:
    one = found_by_endpoint(store, BY_LENGTH)["drift-longer"]

    assert (Verdict.SILENT, Verdict.TICKET) == (one.sound, one.naive)
    assert one.words["summary"].startswith("drift-longer m: 0 of 120 first"), "without a length there is no limit"
    assert one.words["summary"].endswith("0.2 s + 0.0002 s per input token")


def test_who_left_waiting_counts_by_the_wait_and_who_was_refused_does_not(store: Store) -> None:
    one = found_by_endpoint(store, OF_TWO_HOURS)["drift-left"]

    assert (Verdict.TICKET, 10) == (one.sound, one.bad)
    assert one.words["summary"].startswith("drift-left m: 10 of 130")


def test_silence_and_too_few_requests_are_unknown_and_not_well(found: dict[str, Found]) -> None:
    assert [False] * 2 == [found[name].is_known for name in ("drift-few", "drift-gone")]
    assert "never-seen" not in found


def test_an_endpoint_that_nobody_asks_any_more_is_not_named(found: dict[str, Found]) -> None:
    assert "drift-long-gone" not in found


def objective(good: str) -> Objective:
    indicator = Indicator(good=parse(good), only=parse("endpoint in ['drift-undone', 'drift-left', 'drift-edge']"))
    return Objective(name="a", service="s", target=0.99, window=Rolling(length_s=DAY_S), indicator=indicator)


def test_without_an_anchor_the_limit_of_the_objectives_holds(store: Store, found: dict[str, Found]) -> None:
    six, two = (
        P99DriftRule(settings=Settings(window_s=hours * HOUR_S), objectives=[objective("ttft_s <= 0.8")])
        for hours in (6, 2)
    )
    before, now = found_by_endpoint(store, six, NOW_S - HOUR_S)["drift-undone"], found_by_endpoint(store, two)

    assert (Verdict.PAGE, True, 500) == (before.sound, before.is_known, before.bad)
    assert before.words["summary"].endswith(
        "500 of 500 first outputs took more than 3 times, 500 more than 10 times 0.8 s"
    )
    assert "2.4" == before.words["limit_s"]
    assert (Verdict.TICKET, 10) == (now["drift-left"].sound, now["drift-left"].bad)
    assert now["drift-left"].words["summary"].startswith("drift-left m: 10 of 130"), "counted as one by one"
    assert (0, 120) == (now["drift-edge"].bad, found["drift-edge"].bad), "2.41 s is above 2.4 s, but in its bucket"


def test_the_catalogue_hands_it_the_objectives() -> None:
    (made,) = [one for one in rules({}, [objective("ok")]) if isinstance(one, P99DriftRule)]

    assert [objective("ok")] == list(made.objectives)


def test_a_day_may_be_pinned_for_the_p99_to_drift_from(store: Store) -> None:
    pinned = Settings(window_s=2 * HOUR_S, options={"pinned_unix_s": float(NOW_S - 10 * DAY_S + 60)})
    found = found_by_endpoint(store, P99DriftRule(settings=pinned, objectives=[objective("ttft_s <= 0.8")]))

    assert (Verdict.TICKET, 120) == (found["drift-pinned"].sound, found["drift-pinned"].bad)
    assert (
        found["drift-pinned"]
        .words["summary"]
        .startswith("drift-pinned m: 120 of 120 first outputs took more than 3 times, 0 more than 10 times 0.20")
    )
    assert Verdict.TICKET is found["drift-left"].sound, "was not there on that day: the objective holds"
    assert not found["drift-few"].is_known


def test_where_nobody_set_a_limit_there_is_nothing_to_drift_from(store: Store) -> None:
    rule = P99DriftRule(settings=Settings(), objectives=[objective("ok")])
    found = found_by_endpoint(store, rule)

    assert {(Verdict.SILENT, False)} == {(one.sound, one.is_known) for one in found.values()}
    assert found["drift-bad-hour"].words["summary"] == (
        "drift-bad-hour m: no limit is set (slo.rules.p99_drift.options.anchor_s, or an objective)"
    )
    assert Verdict.TICKET is found["drift-longer"].naive, "the naive reading needs none"


def test_other_numbers_may_be_set(store: Store) -> None:
    options = {"anchor_s": 0.8, "page_ratio": 5.0}
    strict = P99DriftRule(settings=Settings(threshold=2.5, window_s=2 * HOUR_S, min_events=50, options=options))
    found = found_by_endpoint(store, strict)

    assert (Verdict.PAGE, True) == (found["drift-few"].sound, found["drift-few"].is_known)
    assert "more than 2.5 times, 99 more than 5 times" in found["drift-few"].words["summary"]
