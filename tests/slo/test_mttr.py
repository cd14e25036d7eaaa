"""Incidents, their times, and the level of operation: spec/slo.md 18, A16."""

import pytest

from slo.mttr import ENOUGH, GAP_S, WINDOW_S, Dimension, Evidence, Page, Times, figures, incidents, maturity

NOW_S = 2_000_000_000
DAY_S = 86_400
AUTOMATED = Evidence(
    deploy_min=6.0, canaries_seen=True, scaling_automated_ratio=0.9, rollback_automated_ratio=1.0, regions_slo_met=False
)


def page(
    began_s: int, last_bad_s: int | None, *, service: str = "chat", fired: int = 60, acked: int | None = None
) -> Page:
    return Page(
        service=service,
        began_s=began_s,
        fired_s=began_s + fired,
        acked_s=None if acked is None else began_s + acked,
        last_bad_s=last_bad_s,
    )


def lasting(*minutes: float) -> list[Page]:
    starts = [NOW_S - (at + 1) * DAY_S for at in range(len(minutes))]
    return [page(start, start + int(60 * length)) for start, length in zip(starts, minutes, strict=True)]


def test_a16_mean_and_median_of_five_incidents() -> None:
    recover = figures(incidents(lasting(3, 4, 4, 6, 20), NOW_S)).recover

    assert (5, 7.4, 4.0, 20.0) == (recover.n, recover.mean, recover.median, recover.p90)


def test_a16_levels() -> None:
    recover = figures(incidents(lasting(3, 4, 4, 6, 20), NOW_S)).recover
    no_rollbacks = Evidence(deploy_min=6.0, canaries_seen=True, scaling_automated_ratio=1.0)
    found = maturity(recover, no_rollbacks, 20_000_000)

    assert (3, 2) == (found.levels[Dimension.RECOVERY], found.naive_level)
    assert (2, (Dimension.ROLLBACK,), 2) == (found.level, found.limited_by, found.volume_level)


def test_pages_of_one_service_within_half_an_hour_are_one_incident() -> None:
    first = page(NOW_S - 9_000, NOW_S - 8_000, acked=300)
    within = page(NOW_S - 8_000 + GAP_S, NOW_S - 6_000, acked=90)
    beyond = page(NOW_S - 6_000 + GAP_S + 1, NOW_S - 4_000)
    other = page(NOW_S - 9_000, NOW_S - 8_900, service="batch")
    found = incidents([beyond, other, within, first], NOW_S)

    assert [("batch", 100), ("chat", 3_000), ("chat", 199)] == [
        (one.service, one.ended_s - one.began_s) for one in found
    ]
    assert (NOW_S - 9_000 + 60, NOW_S - 9_000 + 300) == (found[1].detected_s, found[1].acked_s)


def test_a_page_within_another_does_not_shorten_it() -> None:
    (found,) = incidents([page(NOW_S - 9_000, NOW_S - 100), page(NOW_S - 8_000, NOW_S - 7_000)], NOW_S)

    assert (NOW_S - 9_000, NOW_S - 100) == (found.began_s, found.ended_s)


def test_an_open_incident_counts_up_to_now() -> None:
    (found,) = incidents([page(NOW_S - 900, None)], NOW_S)

    assert (True, 15.0) == (found.is_open, figures([found]).recover.mean)


def test_times_are_measured_from_the_first_bad_minute() -> None:
    found = figures(incidents([page(NOW_S - 3_600, NOW_S - 1_800, fired=120, acked=300)], NOW_S))

    assert (2.0, 3.0, 30.0) == (found.detect.mean, found.acknowledge.mean, found.recover.mean)


def test_nobody_acknowledged() -> None:
    assert Times(n=0, mean=None, median=None, p90=None) == figures(incidents(lasting(3), NOW_S)).acknowledge


def test_incidents_older_than_90_days_do_not_count() -> None:
    bound = page(NOW_S - WINDOW_S - 60, NOW_S - WINDOW_S)
    older = page(NOW_S - WINDOW_S - DAY_S, NOW_S - WINDOW_S - 1, service="older")

    assert ["chat"] == [one.service for one in incidents([bound, older], NOW_S)]


def test_fewer_than_five_incidents_are_insufficient() -> None:
    assert ENOUGH == 5
    found = maturity(figures(incidents(lasting(1, 1, 1, 1), NOW_S)).recover, AUTOMATED, 0)

    assert (None, (Dimension.RECOVERY,), 4) == (found.level, found.limited_by, found.naive_level)


def times(median: float) -> Times:
    return Times(n=5, mean=median, median=median, p90=median)


BUCKETS = [(0.5, 4), (1.0, 4), (1.1, 3), (5.0, 3), (7.0, 2), (15.0, 2), (20.0, 1), (45.0, 1)]


@pytest.mark.parametrize(("median", "level"), BUCKETS)
def test_times_between_the_bands_fall_to_the_lower_level(median: float, level: int) -> None:
    assert level == maturity(times(median), AUTOMATED, 0).levels[Dimension.RECOVERY]


EVIDENCE = [
    pytest.param(AUTOMATED, 3, ("regions",), id="automated, one region"),
    pytest.param(Evidence(), 1, ("deploy",), id="no evidence at all"),
    pytest.param(Evidence(deploy_min=11.0), 1, ("deploy",), id="slow deployments"),
    pytest.param(Evidence(deploy_min=10.0), 2, ("deploy", "scaling", "rollback"), id="scripted deployments"),
    pytest.param(
        Evidence(deploy_min=6.0, canaries_seen=True, scaling_automated_ratio=0.89, rollback_automated_ratio=1.0),
        2,
        ("scaling",),
        id="one scale event of nine by hand",
    ),
    pytest.param(
        Evidence(
            deploy_min=6.0,
            canaries_seen=True,
            scaling_automated_ratio=1.0,
            rollback_automated_ratio=1.0,
            regions_slo_met=True,
        ),
        4,
        ("recovery", "deploy", "scaling", "rollback", "regions"),
        id="fully managed",
    ),
]


@pytest.mark.parametrize(("evidence", "level", "limited_by"), EVIDENCE)
def test_the_level_is_named_after_what_limits_it(evidence: Evidence, level: int, limited_by: tuple[str, ...]) -> None:
    found = maturity(times(0.5), evidence, 0)

    assert (level, limited_by) == (found.level, found.limited_by)


VOLUMES = [(0, 1), (999_999, 1), (1_000_000, 2), (49_999_999, 2), (50_000_000, 3), (999_999_999, 3), (10**9, 4)]


@pytest.mark.parametrize(("tokens", "level"), VOLUMES)
def test_the_level_that_the_volume_suggests(tokens: int, level: int) -> None:
    assert level == maturity(times(1.0), AUTOMATED, tokens).volume_level
