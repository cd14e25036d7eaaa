"""Durations: who left after which wait, phases that add up, gaps, vantages."""

import pytest
from panel_answers import known, rows
from panel_rig import END_MS, FULL, PanelRig

from dashboards.asks_latency import PHASES, STALL_LIMIT_US, WAIT_NAMES, WAITS_S, values


def test_ten_clients_left_after_two_seconds(past: PanelRig) -> None:
    answers = [rows(past, "fleet.gave_up", FULL)]
    past.now_ms = END_MS + 15 * 86_400_000
    span = {"from": str(END_MS // 1000 - 3_600), "to": str(END_MS // 1000)}
    answers.append(rows(past, "fleet.gave_up", FULL, **span))
    past.now_ms = END_MS

    for found in answers:
        left = {name: sum(row[name] or 0 for row in found) * 60 for name in WAIT_NAMES}
        assert {"from_1_to_4_s": pytest.approx(10)} == {name: n for name, n in left.items() if n}
    assert (1, 4, 16) == WAITS_S


def test_phases_add_up_to_the_whole(past: PanelRig) -> None:
    (row,) = [one for one in rows(past, "ep.phases", FULL) if one["queue"] is not None]
    whole = [row[name] for name in (*PHASES, "rest")]

    assert (0.01, 0.02, 0.005) == (row["queue"], row["prefill"], row["network"])
    assert sum(whole) == pytest.approx(0.4 + row["rest"] + 0.0351 + row["stall"], abs=1e-6)


def test_no_gap_is_over_the_limit(past: PanelRig) -> None:
    found = rows(past, "ep.stall", FULL)

    assert {0.0} == known(found, "over_limit")
    assert 1_000_000 == STALL_LIMIT_US


def test_who_saw_it_is_told_apart(past: PanelRig) -> None:
    found = rows(past, "ep.vantage", FULL)

    assert ["loadtest, by tee", "probe, by tee", "user, by tee"] == [row["vantage"] for row in found]
    assert None is found[0]["p95"], "ten requests are too few"


def test_answers_of_one_length_are_one_band(past: PanelRig) -> None:
    assert ["from 64 tokens"] == [row["band"] for row in rows(past, "ep.e2e", FULL)]


def test_the_first_visible_token_stands_beside(past: PanelRig) -> None:
    found = rows(past, "ep.ttft", FULL)

    assert [row["p95"] for row in found] == [row["visible_p95"] for row in found]


def test_columns_of_percentiles_have_a_prefix() -> None:
    assert {"a_n": "n_ok", "a_max": "max_s", "a_p95": "ok_s[3]"}.items() <= values("ok", prefix="a_").items()
