"""The gate over kept runs: what is alike passes, what is worse fails, and what may not be compared says nothing."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from load_rows import row
from load_runs import kept_run, plan, rows

from inferometer.errors import ConfigurationError
from inferometer.load_gate import BLOCKS_LEAST, Answer, answer, document, judgeable, limits, objected, show
from inferometer.load_kept import Kept, kept
from inferometer.load_key import UNKNOWN, Engine
from loadtest.baseline import PARTIAL
from loadtest.compare import BLOCK_S
from loadtest.conductor import Halt
from loadtest.gate import Metric, Run
from loadtest.gate_rows import gated_run
from loadtest.plan_spec import Objectives
from loadtest.verdict import Verdict
from telemetry.outcome import Outcome


def some(tmp_path: Path, name: str, n: int = 1, slower: float = 1.0, **changes: Any) -> list[Kept]:  # noqa: ANN401
    """Return runs of one name; each run's rows are seeded by their number and that name's length."""
    return [kept(kept_run(tmp_path, f"{name}{at}", rows(10 * len(name) + at, slower), **changes)) for at in range(n)]


def judged(found: Answer) -> dict[Metric, Verdict]:
    return {one.metric: one.verdict for one in found.gated.metrics}


def told(before: Sequence[Kept], after: Sequence[Kept], *, accepts_partial: bool = False) -> dict[str, Verdict]:
    return {one.name: one.verdict for one in objected(before, after, accepts_partial=accepts_partial)}


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> list[Kept]:
    return some(tmp_path_factory.mktemp("baseline"), "base", 2)


def test_a_candidate_that_is_slower_fails(
    baseline: list[Kept], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(baseline, some(tmp_path, "c", slower=1.5), 7)

    assert () == found.objections
    assert (Verdict.FAILED, Verdict.FAILED) == (found.verdict, judged(found)[Metric.TTFT_P50])
    assert Verdict.PASSED is judged(found)[Metric.TPOT_P50]
    assert Verdict.INCONCLUSIVE is judged(found)[Metric.TTFT_P99]  # n = 150, below its floor
    assert Metric.ATTAINMENT not in judged(found)  # no objectives
    printed = {output: (show(found, output), capsys.readouterr().out) for output in ("json", "junit", "github", "csv")}
    assert {3} == {code for code, _ in printed.values()}
    metrics = {one["metric"]: one for one in json.loads(printed["json"][1])["metrics"]}
    assert 0.3 < metrics["ttft_p50"]["worse_ratio"] < 0.7
    suite = ET.fromstring(printed["junit"][1])  # noqa: S314 -- our own text
    assert "ttft_p50" in [case.get("name") for case in suite if case.find("failure") is not None]
    assert "::error title=load gate ttft_p50::" in printed["github"][1]
    assert printed["csv"][1].startswith("metric,verdict,worse by")


def test_what_may_not_be_compared_has_numbers_and_no_verdict(
    baseline: list[Kept], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(baseline, some(tmp_path, "c", slower=1.5, lag_us=50_000.0), 7)

    assert 4 == show(found, "markdown")
    out, err = capsys.readouterr()
    assert {Verdict.INCONCLUSIVE} == set(judged(found).values())
    assert "c0: unfit: dispatch lag" in out
    assert "c0: unfit: dispatch lag" in err
    assert out.startswith("**inconclusive**")
    assert "| ttft_p50 | inconclusive | +" in out


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({}, [], id="alike"),
        pytest.param({"lag_us": 50_000.0}, ["c0"], id="unfit"),
        pytest.param({"halt": Halt.INTERRUPTED}, ["c0"], id="cut short"),
        pytest.param({"spec": plan(seed=8)}, ["plan"], id="another plan"),
        pytest.param({"spec": plan(objectives=Objectives(ttft_s=1.0))}, ["key"], id="other objectives"),
        pytest.param({"engine": Engine(engine="vllm", flags={})}, ["key"], id="another engine"),
    ],
)
def test_what_stands_in_the_way_of_a_verdict(
    baseline: list[Kept], changes: dict[str, Any], named: list[str], tmp_path: Path
) -> None:
    assert dict.fromkeys(named, Verdict.INCONCLUSIVE) == told(baseline, some(tmp_path, "c", **changes))


def test_runs_are_only_compared_over_the_same_window(baseline: list[Kept], tmp_path: Path) -> None:
    later = some(tmp_path, "c", 2, warmup_s=10.0)

    assert {"window": Verdict.INCONCLUSIVE} == told(baseline, later)
    assert {} == told(later, some(tmp_path, "dd", warmup_s=10.0))


def test_unknown_flags_must_be_accepted(tmp_path: Path) -> None:
    before, after = some(tmp_path, "b", 2, engine=UNKNOWN), some(tmp_path, "cc", engine=UNKNOWN)

    assert PARTIAL == before[0].key.flags_hash
    assert {"key": Verdict.INCONCLUSIVE} == told(before, after)
    assert {} == told(before, after, accepts_partial=True)


def test_a_candidate_whose_target_went_away_has_failed_and_a_baseline_says_nothing(
    baseline: list[Kept], tmp_path: Path
) -> None:
    gone = some(tmp_path, "c", halt=Halt.TARGET_GONE)

    assert {"c0": Verdict.FAILED} == told(baseline, gone)
    assert {"c0": Verdict.INCONCLUSIVE} == told(gone, baseline)


def test_runs_of_too_few_blocks_give_no_verdict(baseline: list[Kept], tmp_path: Path) -> None:
    def lasting(seconds: float) -> list[Kept]:
        spec = msgspec.structs.replace(plan(), duration_s=seconds)
        return some(tmp_path, f"c{seconds:.0f}", spec=spec)

    assert BLOCKS_LEAST * BLOCK_S == 100.0
    assert "length" in told(baseline, lasting(99.0))
    assert "length" not in told(baseline, lasting(100.0))


def test_one_run_against_one_says_how_many_are_needed(baseline: list[Kept], tmp_path: Path) -> None:
    before, after = some(tmp_path, "b", slower=1.5), some(tmp_path, "cc")
    found = answer(before, after, 7)

    assert ["runs"] == [one.name for one in found.objections]
    assert "one run against one: how runs differ anyway is unknown, needed: 3 of an arm" == found.objections[0].message
    assert Verdict.INCONCLUSIVE is found.verdict
    assert {} == told(before, [*after, *baseline[:1]])


def test_a_run_is_not_compared_with_itself(baseline: list[Kept]) -> None:
    assert {"runs": Verdict.INCONCLUSIVE} == told(baseline, baseline[:1])


def test_a_candidate_without_an_answer_fails_and_its_change_is_a_word(baseline: list[Kept], tmp_path: Path) -> None:
    bad = [row(j, at_s=j / 2, outcome=Outcome.SERVER_ERROR, ttft_us=None, tpot_us=None) for j in range(150)]
    found = answer(baseline, [kept(kept_run(tmp_path, "c1", bad))], 7)

    assert Verdict.FAILED is found.verdict
    assert "fails" == {one["metric"]: one["worse_ratio"] for one in document(found)["metrics"]}["ttft_p50"]
    assert json.loads(json.dumps(document(found), allow_nan=False))


def test_one_that_is_gone_fails_whatever_the_numbers_say(baseline: list[Kept], tmp_path: Path) -> None:
    assert Verdict.FAILED is answer(baseline, some(tmp_path, "c", halt=Halt.TARGET_GONE), 7).verdict


def test_only_what_a_workload_can_have_is_judged() -> None:
    single: Run = gated_run([row(1, tpot_us=None)], (0, 10**10), {})
    metrics = judgeable([single], has_objectives=False)

    assert {Metric.TPOT_P50, Metric.TPOT_P95, Metric.MAX_GAP_P99, Metric.ATTAINMENT}.isdisjoint(metrics)
    assert set(Metric) == set(judgeable([gated_run([row(1)], (0, 10**10), {})], has_objectives=True))


def test_tokens_that_are_unknown_are_not_judged_and_that_is_said(
    baseline: list[Kept], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = [msgspec.structs.replace(one, record=msgspec.structs.replace(one.record, tok_by_s=())) for one in rows(9)]
    found = answer(baseline, [kept(kept_run(tmp_path, "c", silent))], 7)

    assert Metric.TOKENS_PER_S not in judged(found)
    show(found, "markdown")
    out, err = capsys.readouterr()
    assert "- tokens_per_s: not judged, when the tokens of an answer came is unknown\n" in out
    assert "tokens_per_s: not judged, when the tokens of an answer came is unknown\n" == err
    show(answer(baseline, some(tmp_path, "dd"), 7), "json")
    assert "not judged" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [
        pytest.param(0.2, Verdict.FAILED, id="broken whatever the baseline did"),
        pytest.param(2.0, Verdict.PASSED, id="kept"),
    ],
)
def test_a_limit_is_judged_beside_the_baseline(
    baseline: list[Kept], limit: float, verdict: Verdict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(baseline, some(tmp_path, "c"), 7, limits=limits([f"ttft_p50={limit}"]))

    assert ["ttft_p50_limit"] == [one.name for one in found.limits]
    assert verdict is found.limits[0].verdict
    assert (verdict is Verdict.FAILED) == (found.verdict is Verdict.FAILED)
    show(found, "json")
    out, err = capsys.readouterr()
    assert verdict == json.loads(out)["limits"][0]["verdict"]
    assert f"ttft_p50_limit: {verdict}, ttft_p50: " in err
    unfit = answer(baseline, some(tmp_path, "dd", lag_us=50_000.0), 7, limits=limits([f"ttft_p50={limit}"]))
    assert Verdict.INCONCLUSIVE is unfit.limits[0].verdict


@pytest.mark.parametrize("word", ["ttft_p50", "ttft_p50=0", "ttft_p50=x", "tokens_per_s=1", "p50=1", ""])
def test_what_is_no_limit(word: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--limit: .*allowed: METRIC=SECONDS with one of ttft_p50"):
        limits([word])
