"""Two targets in one run: the second is better, worse or nobody can tell; one target against itself has no verdict."""

import json
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from load_rows import row
from load_runs import ENGINE, ended

from inferometer import load_ab, load_files
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError
from inferometer.load_ab import NAME, SCHEMA, VARIANTS, Found, alarmed, judged, objected, told, with_itself
from inferometer.load_gate import show
from inferometer.load_kept import kept
from inferometer.load_key import key
from inferometer.load_run import Carried
from loadtest import compare
from loadtest.cases import Case
from loadtest.conductor import Conductor, Halt
from loadtest.gate import Metric
from loadtest.paired import FalseAlarms
from loadtest.plan_spec import PlanSpec, RateCurve
from loadtest.planner import build
from loadtest.rows import Row, line
from loadtest.run_spec import RunSpec
from loadtest.verdict import Verdict

SECONDS = 120.0
"""Of a run."""


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "RESAMPLES", 400)  # 2 / 401 is below 5 % over nine metrics


def rows(slower: float = 1.0, n: int = 1200, seed: int = 3) -> list[Row]:
    """Pairs whose TTFT doubles over the run; those of the second target are slower."""
    random, found = Random(seed), list[Row]()  # noqa: S311 -- seeded
    for j in range(n):
        ttft_us = 200_000 * (1 + j / n) * random.lognormvariate(0, 0.1) * (slower if j % 2 else 1.0)
        found.append(row(j, at_s=j * SECONDS / n, ttft_us=round(ttft_us), arm=j % 2))
    return found


def carried(directory: Path, *, seconds: float = SECONDS, lag_us: float = 100.0, halt: Halt = Halt.NONE) -> Carried:
    plan = PlanSpec(seed=7, rate=RateCurve(points=((0.0, 10.0),)), duration_s=seconds, arms=2)
    run = RunSpec(
        run_id="r", targets=("http://a", "http://b"), plan=plan, directory=str(directory), model="m", variants=VARIANTS
    )
    built = build(plan)
    return Carried(run=run, plan=built, ending=ended(Conductor(built, 1), 1200, lag_us, halt), directory=directory)


def verdicts(found: Found) -> dict[Metric, Verdict]:
    return {one.metric: one.verdict for one in found.answer.gated.metrics}


@pytest.mark.parametrize(
    ("slower", "verdict"),
    [
        pytest.param(1.0, Verdict.PASSED, id="alike, while both double"),
        pytest.param(1.1, Verdict.FAILED, id="10 % slower"),
        pytest.param(0.9, Verdict.PASSED, id="10 % faster"),
    ],
)
def test_drift_cancels(slower: float, verdict: Verdict, tmp_path: Path) -> None:
    found = verdicts(judged(carried(tmp_path), rows(slower), ()))

    assert verdict is found[Metric.TTFT_P50]
    assert Verdict.PASSED is found[Metric.TPOT_P50]
    assert Verdict.INCONCLUSIVE is found[Metric.TTFT_P99]  # n = 600, below its floor
    assert Metric.ATTAINMENT not in found


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"lag_us": 50_000.0}, ["run"], id="a client that was not fit"),
        pytest.param({"halt": Halt.INTERRUPTED}, ["run"], id="cut short"),
        pytest.param({"halt": Halt.TARGET_GONE}, ["run"], id="both gone"),
        pytest.param({"seconds": 99.0}, ["length"], id="too short"),
    ],
)
def test_what_keeps_a_run_from_a_verdict(changes: dict[str, Any], named: list[str], tmp_path: Path) -> None:
    run = carried(tmp_path, **changes)
    window_ns = (0, round((run.run.plan.duration_s or 0) * 1e9))

    assert named == [one.name for one in objected(run.ending, window_ns)]
    if named:
        found = judged(run, rows(1.5), ())
        assert Verdict.INCONCLUSIVE is found.answer.verdict
        assert {Verdict.INCONCLUSIVE} == set(verdicts(found).values())


def test_too_many_false_alarms_of_before_keep_it_too(tmp_path: Path) -> None:
    block = Case(name="false_alarms", verdict=Verdict.INCONCLUSIVE, message="39 of 200")

    assert Verdict.INCONCLUSIVE is judged(carried(tmp_path), rows(1.5), [block]).answer.verdict


def test_one_target_against_itself_has_a_rate_and_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(load_ab, "RELABELLINGS", 4)
    run = carried(tmp_path)
    found = with_itself(judged(run, rows(), ()), run, rows())

    assert found.alarms is not None
    assert 4 == found.alarms.n
    assert {Verdict.INCONCLUSIVE} == set(verdicts(found).values())
    good, bad = (alarmed(found.answer, FalseAlarms(alarms=alarms, n=100)) for alarms in (5, 30))
    assert ([Verdict.PASSED], [Verdict.INCONCLUSIVE]) == (
        [c.verdict for c in good.cases],
        [c.verdict for c in bad.cases],
    )
    capsys.readouterr()
    assert (0, 4) == (show(good, "junit", NAME), show(bad, "table", NAME))
    out, err = capsys.readouterr()
    assert ["false_alarms"] == [case.get("name") for case in ET.fromstring(out[: out.index("</testsuite>") + 12])]  # noqa: S314
    assert "30 false alarms of 100, 30.0 %" in err
    short = carried(tmp_path, seconds=50.0)
    assert with_itself(judged(short, rows(), ()), short, rows()).alarms is None


@pytest.mark.parametrize("known", [pytest.param([], id="two targets"), pytest.param(None, id="one target")])
def test_a_run_of_two_arms_leaves_its_files(
    known: list[Case] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_ab, "RELABELLINGS", 2)
    run, data = carried(tmp_path / "run"), DataDirectory(root=tmp_path / "data")
    load_files.made(run.directory, run.run)
    (run.directory / "rows-0.jsonl").write_bytes(b"".join(line(one) for one in rows(1.2)))
    data.root.mkdir()
    found = told(run, data, key(run.run, run.plan, ENGINE), known)

    report = json.loads((run.directory / "report.json").read_text())
    assert (SCHEMA, [600, 600]) == (report["schema"], [report["arms"][name]["n"] for name in VARIANTS])
    assert found.answer.verdict == report["gate"]["verdict"]
    assert (known is None) == bool(report["false_alarms"]) == (data.root / "load_aa").exists()
    assert found.answer.verdict is (Verdict.PASSED if known is None else Verdict.FAILED)
    names = [case.get("name") for case in ET.fromstring((run.directory / "junit.xml").read_text())]  # noqa: S314
    assert names == (["false_alarms"] if known is None else [one.value for one in verdicts(found)])
    assert 1200 == len((run.directory / "requests.jsonl").read_bytes().splitlines())
    page = (run.directory / "report.html").read_text()
    assert all(text in page for text in ("Two targets at once, r", "a: http://a", "b: http://b"))
    with pytest.raises(ConfigurationError, match=r"found inferometer\.load_ab/v1"):
        kept(run.directory)
