"""What pages were."""

from typing import Any

import pytest
from views import judged

from slo.counts import Counts
from slo.mttr import Page
from slo.objective import AlertCondition, AlertPolicy, ConditionKind
from slo.pages import MINUTE_S, Occurrence, acked_s, needed, occurrences, page
from slo.watched import watched

LABELS = {"service": "chat", "endpoint": "a", "severity": "page"}


def change(at_s: int, before: str, after: str, *, occurrence: int = 1, fired_s: int | None = None) -> dict[str, Any]:
    return {
        "at_unix_ms": at_s * 1000, "fingerprint": 7, "alertname": "chat", "from_state": before, "to_state": after,
        "occurrence": occurrence, "labels": LABELS, "fired_at_unix_ms": None if fired_s is None else fired_s * 1000,
    }  # fmt: skip


def occurrence(fired_s: int = 6_000, resolved_s: int | None = None) -> Occurrence:
    return Occurrence(fingerprint=7, number=1, alertname="chat", labels=LABELS, fired_s=fired_s, resolved_s=resolved_s)


def minutes(**bad: str) -> dict[int, Counts]:
    """Return minutes of ten requests; each argument is the number of bad ones, and the minutes that have so many."""
    return {
        int(at) * MINUTE_S: Counts(eligible=10, bad=int(n.strip("_"))) for n, ats in bad.items() for at in ats.split()
    }


def test_what_fired_and_what_ended_make_an_occurrence() -> None:
    rows = [
        change(900, "pending", "firing", occurrence=2),
        change(700, "resolved", "inactive"),
        change(600, "firing", "resolved", fired_s=300),
        change(310, "unknown", "firing", fired_s=300),
        change(200, "unknown", "pending"),
    ]

    assert [(one.number, one.fired_s, one.resolved_s, one.place) for one in occurrences(rows)] == [
        (1, 300, 600, "a"),
        (2, 900, None, "a"),
    ]


def test_a_place_is_the_endpoint_or_else_the_service() -> None:
    assert Occurrence(fingerprint=1, number=1, alertname="", labels={"service": "s"}, fired_s=1).place == "s"
    assert Occurrence(fingerprint=1, number=1, alertname="", labels={}, fired_s=1).place == ""


@pytest.mark.parametrize(
    ("of", "seen", "began_s", "last_bad_s"),
    [
        pytest.param(occurrence(), {}, 6_000, None, id="without counts it begins when it fired"),
        pytest.param(occurrence(resolved_s=6_600), {}, 6_000, 6_600, id="and ends when it was resolved"),
        pytest.param(occurrence(), minutes(_5="95 96 97 98 99"), 95 * 60, None, id="it begins with its bad minutes"),
        pytest.param(occurrence(), minutes(_5="90 96 99"), 90 * 60, None, id="over gaps of the short window"),
        pytest.param(occurrence(), minutes(_5="89 95 99"), 89 * 60, None, id="of just that length"),
        pytest.param(occurrence(), minutes(_5="88 95 99"), 95 * 60, None, id="not over longer ones"),
        pytest.param(occurrence(), minutes(_1="97", _5="98"), 98 * 60, None, id="a minute that is not bad enough"),
        pytest.param(
            occurrence(resolved_s=6_600),
            minutes(_5="99 103 111"),
            99 * 60,
            104 * 60,
            id="it ends with the last bad one",
        ),
    ],
)
def test_a_page_lies_between_its_first_and_its_last_bad_minute(
    of: Occurrence, seen: dict[int, Counts], began_s: int, last_bad_s: int | None
) -> None:
    assert page(of, seen, 0.1, None) == Page(
        service="a", began_s=began_s, fired_s=6_000, acked_s=None, last_bad_s=last_bad_s
    )


def test_the_least_page_says_what_a_bad_minute_is() -> None:
    """Burn 6 of a target of 99 % (slo.md 5); an objective of its own policy without a burn has its allowance."""
    one = judged().watched
    policy = AlertPolicy(
        name="p", conditions=(AlertCondition(kind=ConditionKind.ABSENT, severity="page", lookback_s=300),)
    )

    assert needed(one) == pytest.approx(0.06)
    assert needed(
        watched(
            type(one.objective)(name="x", service="s", target=0.99, window=one.objective.window, policies=(policy,))
        )
    ) == pytest.approx(0.01)


def test_it_was_taken_on_while_it_fired() -> None:
    acks = [{"fingerprint": 7, "at_unix_ms": at_s * 1000} for at_s in (100, 6_100, 6_050, 7_000)]

    assert acked_s(occurrence(resolved_s=6_600), [*acks, {"fingerprint": 8, "at_unix_ms": 6_001_000}]) == 6_050
    assert acked_s(occurrence(fired_s=6_800), acks) == 7_000
    assert acked_s(occurrence(fired_s=9_000), acks) is None
