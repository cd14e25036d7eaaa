"""Errors at the peak: what proves them, and when nothing is said."""

import pytest

from slo.jump import Verdict
from slo.rules.error_peak import MINUTES_MIN, ErrorPeakRule
from slo.rules.rule import Found, Settings
from telemetry.store import Store

PAGE, SILENT = Verdict.PAGE, Verdict.SILENT
RULE = ErrorPeakRule(settings=Settings())


def found(bad: int, n: int, rule: ErrorPeakRule = RULE, **changes: int) -> Found:
    row = {
        "endpoint": "chat", "model": "m", "busy": 60, "minutes": 10, "eligible": n, "bad": bad,
        "day_bad": 0, "day_squares": 0, "minutes_known": MINUTES_MIN, **changes,
    }  # fmt: skip
    (one,) = rule.judge(0, {"peaks": [row]})
    return one


@pytest.mark.parametrize(
    ("bad", "n", "sound", "naive"),
    [
        (1, 100, SILENT, PAGE),
        (3, 1_000, SILENT, PAGE),
        (6, 1_000, SILENT, PAGE),
        (7, 1_000, PAGE, PAGE),
        (16, 3_600, SILENT, PAGE),
        (17, 3_600, PAGE, PAGE),
        (2, 1_000, SILENT, SILENT),
        (0, 0, SILENT, SILENT),
    ],
)
def test_the_rate_at_the_peak_must_be_proven(bad: int, n: int, sound: Verdict, naive: Verdict) -> None:
    """slo.md 13: n = 1,000 needs 7 bad, where the naive reading needs 3; 3,600 needs 17."""
    one = found(bad, n)

    assert (one.sound, one.naive, one.is_known) == (sound, naive, True)


def test_what_is_configured_holds() -> None:
    assert found(7, 1_000, ErrorPeakRule(settings=Settings(threshold=0.01))).sound is SILENT
    assert found(7, 1_000, ErrorPeakRule(settings=Settings(min_events=1_001))).sound is SILENT
    of = ErrorPeakRule(settings=Settings(window_s=7_250)).questions(60)["peaks"].parameters
    assert (of["at"], of["window"]) == (60, 7_200)


def test_bursts_prove_less_and_a_new_endpoint_is_not_known() -> None:
    assert found(8, 1_000, day_bad=20, day_squares=400).sound is SILENT
    assert not found(8, 1_000, minutes_known=MINUTES_MIN - 1).is_known
    assert found(8, 1_000).words["summary"] == (
        "chat m: 8 of 1000 (0.80%) requests ended badly in 10 minutes of the last 1h with 60 requests or more;"
        " allowed are 0.30%"
    )


def test_the_store_answers_what_is_asked(reader: Store) -> None:
    rows = {name: reader.query(question) for name, question in RULE.questions(1_790_000_040).items()}

    assert all(not one.is_known for one in RULE.judge(1_790_000_040, rows)), "nobody here has a day of minutes"
