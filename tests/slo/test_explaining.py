"""Tests of slo.explaining."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest
from histories import objective

from slo.alarms import Judged, Moved, advance
from slo.alert import Alert
from slo.counts import Counts
from slo.evaluation import Facts, evaluate
from slo.explaining import AGAIN_S, GAPS, Words, explained
from slo.telemetry_state import Heartbeats
from slo.watched import watched

ONE = watched(objective(0.999))
BAD = {window_s: Counts(eligible=100_000, bad=50_000) for window_s in ONE.windows_s}
GOOD = {window_s: Counts(eligible=100_000) for window_s in ONE.windows_s}
AT_S = 1_790_000_010 // 30 * 30
NOTHING: Words = {GAPS: "everything"}
PART: Words = {"impact": "9 bad", "link": "l", GAPS: "exemplars"}
WHOLE: Words = {"impact": "9 bad", "link": "l", "exemplars": "a, b"}


@dataclass
class Desk:
    """Alerts of one objective, whose page is explained by what a test gives, one answer after the other."""

    answers: Iterator[Words]
    alerts: Mapping[int, Alert] = field(default_factory=dict[int, Alert])
    at_s: int = AT_S
    asked_s: list[int] = field(default_factory=list[int])

    def explain(self, _judged: Judged, alert: Alert) -> Words:
        if alert.labels["severity"] != "page":
            return {}
        self.asked_s.append(self.at_s - AT_S)
        return next(self.answers)

    def step(self, windows: Mapping[int, Counts] = BAD) -> Moved:
        facts = Facts(at_s=self.at_s, windows=windows, seen=Heartbeats.FRESH)
        judged = [Judged(watched=ONE, group={"endpoint": "chat"}, found=evaluate(ONE, facts))]
        moved = explained(advance(judged, self.alerts, self.at_s), judged, self.explain)
        self.alerts, self.at_s = moved.alerts, self.at_s + 30
        return moved

    def said(self, moved: Moved) -> Words:
        (page,) = (one for one in moved.changed if one.labels["severity"] == "page")
        assert moved.alerts[page.fingerprint].explanation == page.explanation
        return page.explanation


def test_what_begins_to_fire_is_explained_wherever_it_is_told() -> None:
    desk = Desk(iter([WHOLE]))
    moved = desk.step()

    assert WHOLE == desk.said(moved)
    assert all(WHOLE.items() <= {**one.notice().annotations}.items() for one in moved.standing)
    assert [WHOLE.items() <= {**one.annotations}.items() for one in moved.notices] == [True]
    assert {*WHOLE} <= {name for alert, _ in moved.transitions for name in alert.explanation}
    for _ in range(3):
        assert WHOLE == desk.said(desk.step())
    assert [0] == desk.asked_s, "nothing was lacking"


@pytest.mark.parametrize(
    ("answers", "stood"),
    [
        pytest.param([NOTHING, PART, WHOLE], [NOTHING, PART, WHOLE, WHOLE], id="more is said each time"),
        pytest.param([PART, NOTHING, WHOLE], [PART, PART, WHOLE, WHOLE], id="a store that is gone takes nothing back"),
        pytest.param(
            [PART, {"impact": "8 bad", "link": "l", GAPS: "exemplars"}, WHOLE],
            [PART, PART, WHOLE, WHOLE],
            id="as little as before is no news",
        ),
        pytest.param([PART, {"link": "l"}, WHOLE], [PART, PART, WHOLE, WHOLE], id="nobody looks, so little is asked"),
    ],
)
def test_what_is_lacking_is_asked_for_again(answers: list[Words], stood: list[Words]) -> None:
    desk = Desk(iter(answers))

    assert stood == [desk.said(desk.step()) for _ in stood]
    assert [0, 30, 60] == desk.asked_s


def test_what_is_no_news_any_more_is_not_asked_for() -> None:
    desk = Desk(iter([PART] * 100))
    said = [desk.said(desk.step()) for _ in range(2 * AGAIN_S // 30)]

    assert PART == said[-1]
    assert AGAIN_S == desk.asked_s[-1]


def test_what_has_ended_is_not_asked_for() -> None:
    desk = Desk(iter([PART] * 100))
    desk.step()
    while any(one.is_told and one.record.resolved_at_s is None for one in desk.alerts.values()):
        desk.step(GOOD)
    n = len(desk.asked_s)
    desk.step(GOOD)

    assert n == len(desk.asked_s)
    assert 30 * n <= AGAIN_S, "it ended while it was news"
