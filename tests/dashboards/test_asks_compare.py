"""Two runs, metric by metric: what differs is worse, what does not is not, and who cannot know says so."""

import json
from bisect import bisect_left, bisect_right

import pytest
from load_past import COMPARED, PER_S, SECONDS, START_S, keep, run, values
from panel_answers import Row, rows
from panel_rig import PanelRig

from dashboards.asks_compare import BLOCK_S, BLOCKS_LEAST, DURATIONS
from inferometer.load_gate import BLOCKS_LEAST as GATED_LEAST
from loadtest.compare import BLOCK_S as GATED_S
from loadtest.compare import Comparison, blocked
from loadtest.random_streams import stream
from telemetry.percentile import P50, P95, P99

BEFORE, SLOWER, SAME = values(1), values(2, 0.3 * 1.3), values(3)
KEY = {"engine_version": "0.31.0", "flags_hash": "aa"}


@pytest.fixture(scope="module")
def tested(past: PanelRig) -> PanelRig:
    report = {"throughput": {"tokens_out_per_s": 700.0}}
    told = {"report_json": json.dumps(report), "key_json": json.dumps(KEY)}
    keep(past.stored, "before", START_S + 100, BEFORE, **told)
    keep(past.stored, "same", START_S + 500, SAME, **told)
    keep(past.stored, "fails", START_S + 900, values(4, bad_ratio=0.1), **told)
    other = told | {"seed": 9, "plan_sha256": "p9", "key_json": json.dumps(KEY | {"engine_version": "0.32.0"})}
    keep(past.stored, "slower", START_S + 1_300, SLOWER, **other)
    keep(past.stored, "unfit", START_S + 1_700, values(5, 0.6), **told | {"fit": "unfit"})
    keep(past.stored, "short", START_S + 2_100, [(at, value) for at, value in values(6) if at < 60])
    plan = json.dumps({"rate": {"points": [[0.0, 20.0]]}})
    past.stored.insert_rows("load_runs", [run("faster", START_S + 1_600, target=COMPARED, plan_json=plan)])
    past.stored.insert_rows("load_runs", [run("old", START_S + 2_400, target=COMPARED)])
    return past


def compared(past: PanelRig, *run_ids: str) -> dict[str, Row]:
    return {row["metric"]: row for row in rows(past, "lt.compare", COMPARED, run=list(run_ids))}


def test_what_is_slower_is_worse_and_the_other_way_round_better(tested: PanelRig) -> None:
    found, back = compared(tested, "before", "slower"), compared(tested, "slower", "before")

    assert {"worse"} == {found[f"ttft {name}"]["verdict"] for name in ("p50", "p95", "p99")}
    assert {"better"} == {back[f"ttft {name}"]["verdict"] for name in ("p50", "p95", "p99")}
    assert found["ttft p95"]["ratio"] == pytest.approx(1 / back["ttft p95"]["ratio"])
    assert "plan seeds differ: 7, 9; configurations differ: engine_version" == found["ttft p50"]["flags"]
    assert ("before", "slower") == (found["ttft p50"]["run_a"], found["ttft p50"]["run_b"])


def test_what_is_the_same_is_not_told_apart(tested: PanelRig) -> None:
    found = compared(tested, "before", "same")

    assert {"inconclusive", None} == {row["verdict"] for row in found.values()}
    assert 1.0 == found["output tokens a second"]["ratio"]
    assert "" == found["ttft p50"]["flags"]


def test_the_interval_is_that_of_resampled_blocks(tested: PanelRig) -> None:
    """Of 30 blocks, with another method: within a quarter of its width."""
    found = compared(tested, "before", "slower")
    blocks = [blocked(((at, value) for at, value in run if value), 0, SECONDS) for run in (BEFORE, SLOWER)]
    by_blocks = Comparison([30], [30], stream(7, "test"))
    expected = by_blocks.quantiles([blocks[0]], [blocks[1]], [P50, P95])

    for name, one in zip(("p50", "p95"), expected, strict=True):
        row = found[f"ttft {name}"]
        estimate, low, high = (1 + (end or 0.0) for end in (one.estimate, one.low, one.high))
        assert row["ratio"] == pytest.approx(estimate, rel=1e-5)
        assert (row["ratio_low"], row["ratio_high"]) == pytest.approx((low, high), abs=(high - low) / 4)


def test_the_effect_is_the_share_of_pairs(tested: PanelRig) -> None:
    first, second = (sorted(value for _, value in run if value) for run in (BEFORE, SLOWER))
    above = sum(bisect_left(first, one) + bisect_right(first, one) for one in second) / 2
    row = compared(tested, "before", "slower")["ttft p50"]

    assert row["effect"] == pytest.approx(above / len(first) / len(second), abs=1e-6)
    assert row["p"] < 1e-6


def test_failures_count_as_infinite(tested: PanelRig) -> None:
    found = compared(tested, "before", "fails")

    assert (None, None, "worse") == tuple(found["ttft p95"][name] for name in ("b", "ratio", "verdict"))
    assert found["ttft p50"]["ratio"] > 1
    assert 3_000 == found["ttft p50"]["n_b"]


def test_a_run_that_is_not_fit_has_numbers_and_no_verdict(tested: PanelRig) -> None:
    found = compared(tested, "before", "unfit")

    assert {"unfit", None} == {row["verdict"] for row in found.values()}
    assert found["ttft p50"]["ratio"] > 1.5
    assert "unfit is not proven fit" == found["ttft p50"]["flags"]


def test_of_one_run_and_of_none_it_is_the_run_before_of_the_same_rate(tested: PanelRig) -> None:
    assert ("slower", "unfit") == tuple(compared(tested, "unfit")["ttft p50"][name] for name in ("run_a", "run_b"))
    assert None is compared(tested, "faster")["ttft p50"]["run_a"]
    assert "there is no run before it" in compared(tested, "faster")["ttft p50"]["flags"]
    assert ("fails", "slower") == tuple(compared(tested, "slower")["ttft p50"][name] for name in ("run_a", "run_b"))
    assert ("short", "old") == tuple(compared(tested)["ttft p50"][name] for name in ("run_a", "run_b"))


def test_too_few_requests_have_no_verdict(tested: PanelRig) -> None:
    found = compared(tested, "before", "short")

    assert {"n too small"} == {row["verdict"] for name, row in found.items() if name.startswith("ttft")}
    assert (BLOCK_S, BLOCKS_LEAST) == (GATED_S, GATED_LEAST)
    assert (P50, P95, P99) == DURATIONS["ttft"]
    assert PER_S * 60 == found["ttft p50"]["n_b"]


def test_requests_that_are_gone_are_said_to_be(tested: PanelRig) -> None:
    found = compared(tested, "before", "old")

    assert {"no values"} == {row["verdict"] for name, row in found.items() if name.startswith("ttft")}
