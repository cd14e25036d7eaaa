"""Outcomes, lengths, replicas."""

import pytest
from panel_answers import known, rows
from panel_rig import END_MS, FULL, PanelRig

from dashboards.asks_outcomes import EVENTS_MS_MAX, PHASES
from telemetry.testing.memory_store import sample_request


def test_classes_without_those_that_are_no_trouble(past: PanelRig) -> None:
    found = rows(past, "ep.outcomes", FULL)

    assert {"stream_error", "client_cancelled"} == known(found, "outcome")
    assert 72 == pytest.approx(sum(row["per_s"] for row in found if row["outcome"] == "stream_error") * 60, abs=2)


def test_how_far_the_bad_ones_came(past: PanelRig) -> None:
    found = rows(past, "ep.outcome_phases", FULL)
    came = {name: sum(row[name] or 0 for row in found) * 60 for name in PHASES}

    assert {"connect": 0, "queued": 10, "streaming": 72, "done": 0} == pytest.approx(came, abs=2)
    assert sum(came.values()) == pytest.approx(sum(row["per_s"] for row in rows(past, "ep.outcomes", FULL)) * 60, abs=2)


def test_tokens_of_an_event_are_those_of_streams(past: PanelRig) -> None:
    found = rows(past, "ep.tokens", FULL)
    (per_event,) = known(found, "tokens_per_event")

    one = sample_request(1, END_MS)
    assert per_event == (one.tokens_out or 0) / one.n_out_events
    assert 86_400_000 == EVENTS_MS_MAX


def test_who_left_is_a_share(past: PanelRig) -> None:
    found = rows(past, "ep.gave_up", FULL)
    (row,) = [one for one in found if one["censored"]]

    assert (10, 10 / (60 + 20)) == (row["censored"], pytest.approx(row["gave_up"]))


def test_lengths_and_their_ends(past: PanelRig) -> None:
    found = rows(past, "ep.workload", FULL)

    assert ({100.0}, {70.0}, {0.0}) == tuple(known(found, name) for name in ("prompt_p50", "output_p95", "cut_ratio"))


def test_replicas_stand_side_by_side(past: PanelRig) -> None:
    found = {row["replica"]: row for row in rows(past, "ep.replicas", FULL)}

    assert {"10.0.0.0:8000", "10.0.0.1:8000", "10.0.0.2:8000"} == set(found)
    assert ("up", 7.0) == (found["10.0.0.1:8000"]["state"], found["10.0.0.1:8000"]["running"])
    assert END_MS // 1000 - 5 < found["10.0.0.2:8000"]["last_seen"] <= END_MS // 1000
