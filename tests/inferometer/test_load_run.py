"""What needs Locust's processes is in tests/system/test_load_run.py."""

import json
import resource
from pathlib import Path

import msgspec
import pytest
from load_reports import RUN, ending
from load_rows import row

from inferometer import load_files
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError, InferometerError, UnreachableError
from inferometer.load_key import UNKNOWN
from inferometer.load_run import DESCRIPTORS_SPARE, Carried, carry_out, reported
from loadtest.conductor import Halt
from loadtest.planner import build
from loadtest.rows import line
from telemetry.spool import Spool, orphans


def nothing(line: str) -> None:
    del line


def test_descriptors_are_asked_for_before_anything_is_sent(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > 1_000_000:
        pytest.skip("descriptors without a limit")
    run = msgspec.structs.replace(RUN, in_flight_max=hard - DESCRIPTORS_SPARE + 1, directory=str(tmp_path / "run"))

    with pytest.raises(ConfigurationError, match="--in-flight-max"):
        carry_out(run, build(run.plan), 1, nothing)
    assert [] == list(tmp_path.iterdir())


def test_the_directory_of_another_run_is_not_touched(tmp_path: Path) -> None:
    run = msgspec.structs.replace(RUN, directory=str(tmp_path))

    with pytest.raises(UnreachableError, match="File exists"):
        carry_out(run, build(run.plan), 1, nothing)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(("halt", "until_s"), [(Halt.NONE, 60), (Halt.ENOUGH, 21), (Halt.INTERRUPTED, 21)])
def test_a_run_that_ended_early_is_measured_up_to_its_last_arrival(tmp_path: Path, halt: Halt, until_s: int) -> None:
    plan = msgspec.structs.replace(RUN.plan, count=None, duration_s=60.0)
    run = msgspec.structs.replace(RUN, plan=plan, warmup_s=1.0, directory=str(tmp_path / "run"))
    load_files.made(tmp_path / "run", run)
    (tmp_path / "run" / "rows-0.jsonl").write_bytes(b"".join(line(row(j)) for j in range(22)))
    early = msgspec.structs.replace(ending(), halt=halt)
    carried = Carried(run=run, plan=build(run.plan), ending=early, directory=tmp_path / "run")
    told = reported(carried, DataDirectory(root=tmp_path), 0.99, UNKNOWN)

    first_ns, until_ns = told["population"]["window_ns"]
    assert (1_000_000_000, until_s) == (first_ns, round(until_ns / 1e9))


def test_a_run_that_ends_before_its_report_keeps_its_requests(tmp_path: Path) -> None:
    """A report that cannot be written stands for a kill between the requests and the report."""
    run = msgspec.structs.replace(RUN, directory=str(tmp_path / "run"))
    load_files.made(tmp_path / "run", run)
    (tmp_path / "run" / "rows-0.jsonl").write_bytes(line(row(0)))
    (tmp_path / "run" / "receipt.json").mkdir()
    data = DataDirectory(root=tmp_path)
    carried = Carried(run=run, plan=build(run.plan), ending=ending(), directory=tmp_path / "run")
    with pytest.raises(InferometerError, match=r"receipt\.json: Is a directory"):
        reported(carried, data, 0.99, UNKNOWN)

    assert [] == list((tmp_path / "run").glob("rows-*.jsonl"))
    assert {run.run_id, f"{run.run_id}-told"} == {path.name.partition("-load-")[2] for path in orphans(data.spool)}


def test_a_spool_that_refuses_costs_no_report(tmp_path: Path) -> None:
    run = msgspec.structs.replace(RUN, directory=str(tmp_path / "run"))
    load_files.made(tmp_path / "run", run)
    (tmp_path / "run" / "rows-0.jsonl").write_bytes(line(row(0)))
    data = DataDirectory(root=tmp_path)
    data.spool.mkdir()
    owner = Spool(Path(load_files.spooled(data, run.run_id, [row(0)])), node="n")
    carried = Carried(run=run, plan=build(run.plan), ending=ending(), directory=tmp_path / "run")

    with pytest.raises(InferometerError, match=r"; the report is in .*run"):
        reported(carried, data, 0.99, UNKNOWN)
    owner.close()
    assert {"report.json", "receipt.json", "requests.jsonl"} <= {path.name for path in (tmp_path / "run").iterdir()}
    told = json.loads((tmp_path / "run" / "receipt.json").read_text())
    assert (str(owner.directory), 1) == (told["spool"], told["rows"])
