"""A soak: what grew is a verdict, an unfit run has none, and its report holds no row."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from load_rows import row
from load_runs import ended
from test_load_guard_engine import engine, pages
from test_load_options import options

from inferometer.config_schema import Config
from inferometer.data_directory import DataDirectory
from inferometer.errors import UnreachableError
from inferometer.load_gauges import Gauges
from inferometer.load_run import Carried
from inferometer.load_soak import NAME, SCHEMA, cases, document, followed, passed, run, show
from loadtest.cases import Case
from loadtest.conductor import Conductor, Halt
from loadtest.plan_spec import PlanSpec, RateCurve
from loadtest.planner import build
from loadtest.rows import line
from loadtest.run_spec import RunSpec
from loadtest.soak import Growth, Stretches, growth
from loadtest.target import target
from loadtest.verdict import Verdict, overall
from telemetry.outcome import Outcome

SECONDS = 600.0


def carried(directory: Path, lag_us: float = 100.0, halt: Halt = Halt.NONE) -> Carried:
    plan = PlanSpec(seed=7, rate=RateCurve(points=((0.0, 1.0),)), duration_s=SECONDS)
    run = RunSpec(run_id="r", targets=("http://a",), plan=plan, directory=str(directory), model="m")
    built = build(plan)
    return Carried(run=run, plan=built, ending=ended(Conductor(built, 1), 600, lag_us, halt), directory=directory)


def grown(rises: float) -> list[Growth]:
    points = [(60.0 * k, 1 + rises * k / 59 + 0.001 * (k % 3)) for k in range(60)]
    return [growth("tpot", "s", points), growth("kv", "ratio", [(x, y - 1) for x, y in points])]


@pytest.mark.parametrize(
    ("rises", "how", "expected"),
    [
        pytest.param(0.0, {}, ["pass", "pass", "pass"], id="nothing grows"),
        pytest.param(0.5, {}, ["pass", "fail", "fail"], id="all grows"),
        pytest.param(0.5, {"lag_us": 50_000.0}, ["inconclusive"] * 3, id="an unfit client"),
        pytest.param(0.5, {"halt": Halt.INTERRUPTED}, ["inconclusive"] * 3, id="cut short"),
        pytest.param(
            0.5, {"halt": Halt.TARGET_GONE}, ["fail", "inconclusive", "inconclusive"], id="the target is gone"
        ),
    ],
)
def test_verdicts(rises: float, how: dict[str, object], expected: list[str], tmp_path: Path) -> None:
    found = cases(carried(tmp_path, **how), grown(rises))  # type: ignore[arg-type] # passed on as it came

    assert ["run", "tpot", "kv"] == [one.name for one in found]
    assert expected == [one.verdict.value for one in found]


def test_rows_pass_into_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = carried(tmp_path)
    slower = (line(row(j, at_s=float(j), tpot_us=20_000 + 50 * j)) for j in range(600))
    (tmp_path / "rows-0.jsonl").write_bytes(b"".join(slower))
    stretches, sums, rows = passed(run, DataDirectory(root=tmp_path / "data"))
    found = [growth("tpot", "s", stretches.means("tpot"))]
    told = cases(run, found)
    report = json.loads(json.dumps(document(run, stretches, found, told, {"rows_sha256": sums, "rows": rows})))

    assert (SCHEMA, 600, 0, 600) == (
        report["schema"], report["population"]["n"], report["population"]["bad"], report["receipt"]["rows"],
    )  # fmt: skip
    assert 1.4 < report["growth"][0]["growth"] < 1.6  # from 20 to 50 ms
    assert "fail" == report["growth"][0]["verdict"]
    show(report["growth"], told, "csv")
    out, err = capsys.readouterr()
    assert out.splitlines()[1].startswith("tpot,fail,0.02")
    assert "tpot: grows by +1" in err
    show(report["growth"], told, "junit")
    suite = ET.fromstring(capsys.readouterr().out)  # noqa: S314 -- our own text
    assert (NAME, ["run", "tpot"]) == (suite.get("name"), [case.get("name") for case in suite])


def test_a_soak_whose_requests_fail_in_its_second_half_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = carried(tmp_path)
    stretches = Stretches((0, round(SECONDS * 1e9)))
    for j in range(600):
        stretches.add(row(j, at_s=float(j), outcome=Outcome.SERVER_ERROR if j > 300 and j % 5 < 3 else Outcome.OK))
    found = [growth("tpot", "s", stretches.means("tpot")), stretches.failing()]
    told = cases(run, found)
    show([asdict(one) for one in found], told, "csv")
    out, err = capsys.readouterr()

    assert (Verdict.FAILED, [Verdict.PASSED, Verdict.PASSED, Verdict.FAILED]) == (
        overall(one.verdict for one in told), [one.verdict for one in told],
    )  # fmt: skip
    assert out.splitlines()[2].startswith("bad,fail,0")
    assert "bad: grows by +60.0 points" in err
    assert "60.0% of a quarter of the run failed" in err


def test_a_gauge_that_is_not_there_is_said_and_not_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = replace(carried(tmp_path), start_ns=1)
    gauges = Gauges(target("http://127.0.0.1:9"), {}, 1.0)
    gauges.why = "status 401"
    found = followed(gauges, run, 0.1)
    told = cases(run, found)
    show([asdict(one) for one in found], told, "csv")
    out, err = capsys.readouterr()

    assert ["run"] == [one.name for one in told]
    assert ["rss,,,bytes,,,,,0", "kv,,,ratio,,,,,0"] == out.splitlines()[1:]
    assert ["rss", "kv"] == [line.split(":")[0] for line in err.splitlines()]
    assert "not on /metrics (status 401)" in err
    assert {"not judged: nothing was sent"} == {one.note for one in followed(gauges, carried(tmp_path), 0.1)}


def test_a_busy_engine_is_not_soaked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with engine(pages(running=2)) as served:
        typed = options(
            target=served.url, model="m", seconds=60.0, warm_up=1.0, cool_down=0.0, idle_wait=0.0, in_flight_max=4
        )
        code = run(Config.model_validate({"data": str(tmp_path)}), typed, 0.1, "json")
    (directory,) = (tmp_path / "runs").iterdir()
    report = json.loads((directory / "report.json").read_text())

    assert (4, "void", 0) == (code, report["fit"]["state"], report["population"]["n"])
    assert {"inconclusive"} == {one["verdict"] for one in report["verdicts"]}
    assert "unfit" == report["environment"][0]["state"]
    assert "environment: queue before the run" in capsys.readouterr().err


def test_a_soak_asks_who_evaluates_live_objectives(tmp_path: Path) -> None:
    load = {"abort_on_burn": True, "burn_from": "http://127.0.0.1:9"}
    config = Config.model_validate({"data": str(tmp_path), "load": load})
    with engine(pages()) as served, pytest.raises(UnreachableError, match="--abort-on-burn"):
        run(config, options(target=served.url, model="m"), 0.1, "json")


def test_what_has_no_slope_says_so(tmp_path: Path) -> None:
    (_, one) = cases(carried(tmp_path), [growth("rss", "bytes", [])])

    assert "0 stretches with a value, too few" in one.message
    assert Verdict.INCONCLUSIVE is overall([one.verdict])
    assert isinstance(one, Case)
