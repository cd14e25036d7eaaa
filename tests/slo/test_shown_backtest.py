"""A backtest from outside."""

from pasts import AT_S, LOOSE, failing

from slo.alertmanager_body import rfc3339
from slo.backtest import backtest
from slo.past import Past
from slo.score import Incident
from slo.shown_backtest import backtest_shown

HOUR_S = 3_600
PAST = Past(watched=LOOSE, group={"endpoint": "a"}, counted=failing(AT_S, 1_200, AT_S + HOUR_S))


def test_pages_are_told_with_what_they_meet() -> None:
    incident = Incident(start_s=AT_S, end_s=AT_S + 1_200)
    found = backtest([PAST], AT_S - 600, AT_S + HOUR_S, [incident])
    shown = backtest_shown(found, ["odd"])
    (page, *_) = [one for one in shown.alarms if one.severity == "page"]

    assert (shown.pages, shown.pages + shown.tickets) == (1, len(found.alarms))
    assert (shown.precision_ratio, shown.recall_ratio, shown.notes) == (1.0, 1.0, ("odd",))
    assert shown.incident_detect_s == (found.alarms[0].start_s - AT_S,)
    assert (page.start, page.group) == (rfc3339(found.alarms[0].start_s), {"endpoint": "a"})
    assert [(one.t, one.remaining) for one in shown.budget[0].points] == [
        (rfc3339(at_s), left) for at_s, left in found.curves[0].points
    ]
    assert set(shown.silenced) == {gate.value for gate in found.silenced}


def test_without_incidents_nobody_can_say_how_good_it_was() -> None:
    shown = backtest_shown(backtest([PAST], AT_S, AT_S + 600), [])

    assert (shown.precision_ratio, shown.recall_ratio, shown.detect_s) == (None, None, None)
