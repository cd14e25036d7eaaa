"""Tests of slo.score."""

import pytest

from slo.score import NEAR_S, Incident, score

INCIDENT = Incident(start_s=10_000, end_s=12_000, service="chat", label="deploy")


@pytest.mark.parametrize(
    ("at_s", "service", "delay_s"),
    [
        pytest.param(10_120, "chat", 120, id="within it"),
        pytest.param(10_000 - NEAR_S, "chat", 0, id="ten minutes before"),
        pytest.param(10_000 - NEAR_S - 1, "chat", None, id="earlier"),
        pytest.param(12_000 + NEAR_S, "chat", 2_600, id="ten minutes after its end"),
        pytest.param(12_000 + NEAR_S + 1, "chat", None, id="later"),
        pytest.param(10_120, "code", None, id="of another service"),
    ],
)
def test_a_page_meets_an_incident_that_is_near(at_s: int, service: str, delay_s: int | None) -> None:
    found = score([(at_s, service)], [INCIDENT])

    assert (found.found, found.detect_s) == ((delay_s,), delay_s)
    assert (found.precision_ratio, found.recall_ratio) == ((1.0, 1.0) if delay_s is not None else (0.0, 0.0))


def test_the_first_page_counts_and_each_is_right_or_not() -> None:
    other = Incident(start_s=50_000, end_s=50_001)
    found = score([(10_300, "chat"), (10_060, "chat"), (30_000, "chat"), (50_030, "any")], [INCIDENT, other])

    assert (found.precision_ratio, found.recall_ratio, found.found) == (0.75, 1.0, (60, 30))
    assert found.detect_s == 45


def test_without_incidents_or_pages_nothing_is_said() -> None:
    assert score([(1, "chat")], []).precision_ratio is None
    assert score([(1, "chat")], []).recall_ratio is None
    assert (score([], [INCIDENT]).precision_ratio, score([], [INCIDENT]).recall_ratio) == (None, 0.0)
    assert score([], [INCIDENT]).detect_s is None
