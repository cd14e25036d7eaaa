import json
import resource
import socket
import stat
from collections.abc import Callable, Iterator
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


def test_runs_that_start_in_one_millisecond_have_ids_of_their_own() -> None:
    before = f"{wall_ms():x}"
    ids = [load_files.new_run_id() for _ in range(1_000)]

    assert len(set(ids)) > 995  # a thousand in few milliseconds, where six may start in one
    assert all(before <= one[: len(before)] for one in ids)


def test_requests_have_names_and_take_the_place_of_the_parts(tmp_path: Path) -> None:
    (tmp_path / "rows-0.jsonl").write_bytes(line(row(0)))
    found = [row(0)]

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
    data = DataDirectory(root=tmp_path / "data")  # nothing was ever started there
    directory = load_files.spooled(data, "r", [row(j) for j in range(load_files.GROUP_ROWS_MAX + 1)])

    assert [Path(directory)] == orphans(data.spool)
    assert not list(data.spool.rglob("reserve.seg"))  # a run may wait long for a store
    assert load_files.is_spool(Path(directory).name)
    assert not load_files.is_spool("node-probes")
    assert 0o700 == stat.S_IMODE(data.spool.stat().st_mode)
    spool = Spool(Path(directory), node=socket.gethostname())
    spool.recover()
    assert load_files.GROUP_ROWS_MAX + 1 == sum(lane.spooled for lane in spool.counters().values())
    spool.close()


def test_a_spool_that_another_owns_is_an_error(tmp_path: Path) -> None:
    data = DataDirectory(root=tmp_path)
    owner = Spool(Path(load_files.spooled(data, "r", [row(0)])), node="n")

    with pytest.raises(InferometerError):
        load_files.spooled(data, "r", [row(0)])
    owner.close()


def test_this_machine_has_a_core() -> None:
    assert load_files.cores() >= 1


def test_a_spool_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("")

    with pytest.raises(InferometerError, match="spool: File exists"):
        load_files.spooled(DataDirectory(root=tmp_path), "r", [row(0)])


def test_nothing_makes_no_spool_and_one_that_refuses_says_why(tmp_path: Path) -> None:
    data = DataDirectory(root=tmp_path)
    assert load_files.refused(data, "r", ()) is None
    assert [] == list(tmp_path.iterdir())
    assert load_files.refused(data, "r", [row(0)]) is None
    owner = Spool(Path(load_files.spool_of(data, "r")), node="n")
    assert "r" in str(load_files.refused(data, "r", [row(0)]))
    owner.close()


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], None]]:
    """Let files of this process grow to so many bytes, as a disk that is full does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda n: resource.setrlimit(resource.RLIMIT_FSIZE, (n, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_of_a_line_that_the_disk_does_not_take_nothing_stays(tmp_path: Path, small_disk: Callable[[int], None]) -> None:
    path = tmp_path / "new" / "lines"
    assert b"one\n" == load_files.add_line(path, 100, lambda _: b"one\n")
    small_disk(10)
    with pytest.raises(InferometerError, match="lines: File too large"):
        load_files.add_line(path, 100, lambda _: b"a long line\n")

    assert b"one\n" == path.read_bytes()
    assert b"two\n" == load_files.add_line(path, 100, lambda before: b"two\n" if before == b"one\n" else b"")
    assert b"one\ntwo\n" == path.read_bytes()


def test_a_file_that_is_too_long_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\ntw")
    with pytest.raises(InferometerError, match="longer than 5 bytes"):
        load_files.add_line(path, 5, lambda _: b"three\n")
    assert b"one\ntw" == path.read_bytes()
    load_files.add_line(path, 6, lambda _: b"three\n")

    assert b"one\nthree\n" == path.read_bytes()
