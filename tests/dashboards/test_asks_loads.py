"""Load tests: runs, whether the client kept up, goodput, distributions."""

import json

from panel_answers import rows
from panel_rig import END_MS, FULL, PanelRig

from dashboards.asks_loads import CURVE_POINTS, RUNS_SHOWN


def test_a_run_is_told_once(past: PanelRig) -> None:
    (row,) = rows(past, "lt.runs", FULL)

    assert ("run-1", "fit", "pass", "ff", 120) == tuple(
        row[name] for name in ("run_id", "fit", "verdict", "flags", "duration")
    )
    assert (239 / 60, RUNS_SHOWN) == (row["good_per_s"], 200)


def test_another_run_is_none(past: PanelRig) -> None:
    assert [] == rows(past, "lt.runs", FULL, run=["run-2"])
    assert 2 == len(rows(past, "lt.fit", FULL, run=["run-1"]))


def test_what_the_hardware_could_give_and_which_part_of_it_is_the_wall(past: PanelRig) -> None:
    (row,) = rows(past, "lt.roofline", FULL)

    assert (0.7, 280.0, 400.0) == tuple(
        row[name] for name in ("reached_ratio", "out_tokens_per_s", "achievable_tokens_per_s")
    )
    assert ("bandwidth", "fp8", None, "mbu") == tuple(row[name] for name in ("wall", "remedy", "missing", "measured"))


def test_a_run_that_tells_no_roofline_is_none(past: PanelRig) -> None:
    told: list[tuple[str, dict[str, object]]] = [
        ("dumb", {}),
        ("short", {"roofline": None}),
        ("lost", {"roofline": {"missing": "the GPU"}}),
    ]
    past.stored.insert_rows(
        "load_runs",
        [
            {"run_id": run_id, "started_at": END_MS / 1000 - 60, "ended_at": END_MS / 1000, "target": "dumb",
             "report_json": json.dumps(report)}
            for run_id, report in told
        ],
    )  # fmt: skip

    assert [("lost", "the GPU")] == [(row["run_id"], row["missing"]) for row in rows(past, "lt.roofline", "dumb")]


def test_the_client_is_told_step_by_step(past: PanelRig) -> None:
    found = rows(past, "lt.fit", FULL)

    assert {0.0003} == {row["dispatch_lag_p99"] for row in found}


def test_distributions_of_what_was_offered_and_of_successes(past: PanelRig) -> None:
    found = rows(past, "lt.latency", FULL, run=["run-1"], traffic="loadtest")

    assert CURVE_POINTS - 1 == len(found)
    assert sorted(row["ttft_s"] for row in found) == [row["ttft_s"] for row in found]
