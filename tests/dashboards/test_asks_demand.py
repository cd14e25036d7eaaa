"""What arrives, finishes and is good: ten arrive in ten seconds, one finishes each second, one in fifty is bad."""

from typing import Any

import pytest
from panel_answers import known, rows
from panel_rig import END_MS, ENDPOINT, PanelRig


def test_arrivals_are_counted_by_what_collectors_say(past: PanelRig) -> None:
    found = rows(past, "fleet.demand", ENDPOINT, **{"from": "now-30m"})

    assert {1.0} == known(found, "arrived")
    assert {1.0} == known(found, "finished")
    assert {round(58 / 60, 6), round(59 / 60, 6)} == {round(one, 6) for one in known(found, "good")}


def test_arrivals_of_a_long_time_are_counted_to_the_minute(past: PanelRig) -> None:
    found = rows(past, "fleet.demand", ENDPOINT, **{"from": "now-3d"})
    arrived = sum(row["arrived"] or 0 for row in found) * 3_600
    whole_hours_s = END_MS // 3_600_000 * 3_600 - (END_MS // 1_000 - 3_600)

    assert abs(arrived - whole_hours_s) <= 60, "one a second, for an hour, of which whole hours are told"


@pytest.mark.parametrize("step", [60, 120, 300])
def test_minutes_count_the_same_arrivals_as_seconds(past: PanelRig, step: int) -> None:
    found = rows(past, "fleet.demand", ENDPOINT, **{"from": "now-30m", "step": step})
    (stats,) = rows(past, "ep.stats", ENDPOINT, **{"from": "now-30m"})
    (odd,) = rows(past, "ep.stats", ENDPOINT, **{"from": str(END_MS // 1000 - 1_807), "to": str(END_MS // 1000 - 7)})

    assert "r_heartbeats_1m" in past.ask("fleet.demand", **{"from": "now-30m", "step": step}).sql
    assert ({1.0}, 1.0, 1.0) == (known(found, "arrived"), stats["in_per_s"], odd["in_per_s"])


def test_nobody_arrives_where_nobody_is_known(past: PanelRig) -> None:
    assert set() == known(rows(past, "fleet.demand", "nobody"), "arrived") - {0}


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        pytest.param("model", {"model": ["llama"]}, id="a model"),
        pytest.param("workload_class", {"class": ["chat"]}, id="a class"),
        pytest.param("region", {"region": ["eu"]}, id="a region"),
        pytest.param("traffic", {"traffic": "probe"}, id="other traffic"),
    ],
)
def test_arrivals_are_unknown_for_what_collectors_do_not_tell_apart(
    past: PanelRig, name: str, asked: dict[str, Any]
) -> None:
    answer = past.ask("fleet.demand", **{"from": "now-1h", "endpoint": [ENDPOINT], **asked})
    (stats,) = rows(past, "ep.stats", ENDPOINT, **asked)

    assert set() == known(rows(past, "fleet.demand", ENDPOINT, **asked), "arrived")
    assert None is stats["in_per_s"]
    assert (name,) == answer.provenance.ignored


def test_arrivals_before_the_time_are_what_its_first_ones_are_compared_with(past: PanelRig) -> None:
    (stats,) = rows(past, "ep.stats", ENDPOINT, **{"from": "now-10m"})

    assert 1.0 == stats["in_per_s"]
