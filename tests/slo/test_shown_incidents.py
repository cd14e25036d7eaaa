"""How incidents and levels look from outside."""

from views import NOW_S

from slo.evidence import Operated
from slo.lookback import Incidents
from slo.mttr import Incident
from slo.shown import instant
from slo.shown_incidents import incidents_shown, maturity_shown, mttr_shown


def incident(minutes: int, endpoint: str = "a", *, is_open: bool = False, acked: bool = False) -> Incident:
    began_s = NOW_S - 86_400 + minutes
    detected_s = began_s + 60
    return Incident(
        service=endpoint,
        began_s=began_s,
        detected_s=detected_s,
        acked_s=detected_s + 120 if acked else None,
        ended_s=began_s + minutes * 60,
        is_open=is_open,
    )


A16 = [incident(n) for n in (3, 4, 4, 6, 20)]


def test_times_are_told_for_all_and_by_endpoint() -> None:
    """slo.md A16: incidents of 3, 4, 4, 6, 20 min: mean 7.4, median 4."""
    shown = incidents_shown(Incidents(found=[*A16, incident(30, "b", is_open=True, acked=True)], is_cut=True), NOW_S)
    (one, other) = shown.endpoints

    assert (one.endpoint, one.mttr.n, one.mttr.mean_min, one.mttr.median_min) == ("a", 5, 7.4, 4.0)
    assert (one.mttd.median_min, one.mtta.n, one.mttr.is_sufficient) == (1.0, 0, True)
    assert (other.endpoint, other.mtta.median_min, other.mttr.is_sufficient) == ("b", 2.0, False)
    assert (shown.total.endpoint, shown.total.mttr.n, shown.is_cut) == ("", 6, True)
    assert [(first.endpoint, first.ended_at) for first in shown.incidents[:1]] == [("b", None)]
    assert shown.incidents[-1].ended_at == instant(A16[0].ended_s)


def test_times_alone_are_those_of_the_incidents() -> None:
    of = Incidents(found=A16, is_cut=False)
    whole, times = incidents_shown(of, NOW_S), mttr_shown(of, NOW_S)

    assert (times.total, times.endpoints, times.is_cut) == (whole.total, whole.endpoints, False)


def test_a_level_is_limited_by_what_is_not_shown() -> None:
    """slo.md A16: bucket level 3 by median, naive level 2 by mean; without a rollback marker below 3."""
    operated = Operated(markers=[], tokens_per_month=2_000_000)
    shown = maturity_shown(Incidents(found=A16, is_cut=False), operated, [], NOW_S)

    assert (shown.level, shown.name, shown.naive_level, shown.volume_level) == (1, "manual", 2, 2)
    assert (shown.levels["recovery"], shown.levels["rollback"], shown.limited_by) == (3, 2, ("deploy",))
    few = maturity_shown(Incidents(found=A16[:4], is_cut=False), operated, [], NOW_S)
    assert (few.level, few.name, few.mttr.n) == (None, None, 4)
