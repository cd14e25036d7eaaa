import json
import socket
from pathlib import Path
from uuid import UUID

import pytest

from inferometer import load_files
from inferometer.data_directory import DataDirectory
from inferometer.errors import InferometerError, UnreachableError
from loadtest.plan_spec import PlanSpec, RateCurve
from loadtest.rows import Row, line
from loadtest.run_spec import Phase, RunSpec, decoded
from telemetry.clock import wall_ms
from telemetry.outcome import Eligibility, Outcome
from telemetry.outcome import Phase as Reached
from telemetry.record import RequestRecord
from telemetry.spool import Spool, orphans

RUN = RunSpec(
    run_id="r",
    targets=("http://a",),
    plan=PlanSpec(seed=7, rate=RateCurve(points=((0.0, 1.0),)), count=1),
    directory="d",
    model="m",
)


def row(j: int, attempt: int = 1) -> Row:
    record = RequestRecord(
        ended_at=wall_ms(),
        elapsed_us=1,
        endpoint="e",
        model="m",
        traffic="loadtest",
        record_id=UUID(int=j),
        run_id="r",
        outcome=Outcome.OK,
        phase=Reached.DONE,
        eligible=Eligibility.GOOD,
        attempt=attempt,
    )
    return Row(j=j, t_sched_us=j, run_phase=Phase.MEASURED, worker=j % 2, arm=0, len_in=1, len_out=1, record=record)


def test_the_directory_of_a_run_is_new(tmp_path: Path) -> None:
    file = load_files.made(tmp_path / "runs" / "r", RUN)

    assert RUN == decoded(file.read_bytes())
    with pytest.raises(UnreachableError, match="File exists"):
        load_files.made(tmp_path / "runs" / "r", RUN)


def test_rows_of_all_workers_come_in_the_order_of_the_plan(tmp_path: Path) -> None:
    for worker, numbers in enumerate([(4, 0, 2), (1, 5, 3)]):
        data = b"".join(line(row(j)) for j in numbers)
        (tmp_path / f"rows-{worker}.jsonl").write_bytes(data + b'{"j":9,"cut off')
    with (tmp_path / "rows-0.jsonl").open("ab") as file:
        file.truncate()

    assert [0, 1, 2, 3, 4, 5] == [one.j for one in load_files.rows(tmp_path)]


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows-0.jsonl").write_bytes(b"{}\n")

    with pytest.raises(InferometerError, match=r"rows-0\.jsonl:1: not a row"):
        list(load_files.rows(tmp_path))


def test_requests_have_names_and_take_the_place_of_the_parts(tmp_path: Path) -> None:
    (tmp_path / "rows-0.jsonl").write_bytes(line(row(0)))
    found = list(load_files.rows(tmp_path))

    first = load_files.written(tmp_path, found)
    second = load_files.written(tmp_path, found)

    (told,) = [json.loads(text) for text in (tmp_path / "requests.jsonl").read_text().splitlines()]
    assert (0, "measured", "done", "loadtest", "ok", "00" * 16) == (
        told["j"],
        told["run_phase"],
        told["phase"],
        told["traffic"],
        told["outcome"],
        told["trace_id"],
    )
    assert ["requests.jsonl"] == [path.name for path in tmp_path.iterdir()]
    assert first == second


def test_a_full_disk_leaves_the_parts(tmp_path: Path) -> None:
    (tmp_path / "rows-0.jsonl").write_bytes(line(row(0)))
    (tmp_path / "requests.jsonl").symlink_to("/dev/full")

    with pytest.raises(InferometerError, match=r"No space left.*rows-\*"):
        load_files.written(tmp_path, list(load_files.rows(tmp_path)))
    assert (tmp_path / "rows-0.jsonl").exists()


def test_a_report_is_written(tmp_path: Path) -> None:
    load_files.write_report(tmp_path, {"a": [1, None], "receipt": {"rerun": "x"}}, "<x/>")

    assert [1, None] == json.loads((tmp_path / "report.json").read_text())["a"]
    assert {"rerun": "x"} == json.loads((tmp_path / "receipt.json").read_text())
    assert "<x/>" == (tmp_path / "junit.xml").read_text()
    with pytest.raises(InferometerError, match="receipt"):
        load_files.write_report(tmp_path / "nowhere", {"receipt": {}}, "")


def test_records_wait_in_a_spool_that_nobody_owns(tmp_path: Path) -> None:
    data = DataDirectory(root=tmp_path)
    assert "" == load_files.spooled(data, "r", [row(0)])  # nobody would look there

    data.spool.mkdir()
    directory = load_files.spooled(data, "r", [row(j) for j in range(load_files.GROUP_ROWS_MAX + 1)])

    assert [Path(directory)] == orphans(data.spool)
    spool = Spool(Path(directory), node=socket.gethostname())
    spool.recover()
    assert load_files.GROUP_ROWS_MAX + 1 == sum(lane.spooled for lane in spool.counters().values())
    spool.close()


def test_a_spool_that_another_owns_is_an_error(tmp_path: Path) -> None:
    data = DataDirectory(root=tmp_path)
    data.spool.mkdir()
    owner = Spool(Path(load_files.spooled(data, "r", [row(0)])), node="n")

    with pytest.raises(InferometerError):
        load_files.spooled(data, "r", [row(0)])
    owner.close()


def test_this_machine_has_a_core() -> None:
    assert load_files.cores() >= 1
