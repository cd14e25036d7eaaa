import msgspec

from loadtest.worker_report import WorkerReport, client, total

A = WorkerReport(
    worker=0,
    due=10,
    sent=9,
    shed=1,
    window_due=8,
    window_sent=7,
    outcomes={"ok": 8, "rate_limited": 1},
    silent_s=4.0,
    lag_us={1: 2},
    cpu_ratio=0.2,
    reads_per_s=100.0,
    in_flight_s=1.5,
    error="disk full",
    over=True,
)
B = WorkerReport(worker=1, due=5, sent=5, outcomes={"ok": 5}, silent_s=0.5, lag_us={1: 1, 3: 1}, reads_per_s=300.0)


def test_parts_add_up() -> None:
    whole = total([A, B])

    assert (2, 15, 14, 1, 8, 7) == (
        whole.worker,
        whole.due,
        whole.sent,
        whole.shed,
        whole.window_due,
        whole.window_sent,
    )
    assert ({"ok": 13, "rate_limited": 1}, {1: 3, 3: 1}) == (whole.outcomes, whole.lag_us)
    assert (0.2, 300.0, 0.5, 1.5) == (whole.cpu_ratio, whole.reads_per_s, whole.silent_s, whole.in_flight_s)
    assert ("disk full", False) == (whole.error, whole.over)


def test_what_nobody_knows_stays_unknown() -> None:
    assert total([B]).cpu_ratio is None


def test_every_figure_of_a_part_is_in_the_whole() -> None:
    numbers = {
        name: 3
        for name, value in msgspec.structs.asdict(WorkerReport(worker=3)).items()
        if type(value) in (int, float) or value is None
    }
    sketches = {name: {1: 3} for name in WorkerReport.__struct_fields__ if name.endswith("_us")}
    part = WorkerReport(**numbers | sketches)  # type: ignore[arg-type] # made up by type

    whole = msgspec.structs.asdict(total([part, part]))

    kept = {"worker", "cpu_ratio", "reads_per_s", "clock_step_ms", "rss_bytes", "silent_s"}
    assert {name: 6 for name in numbers if name not in kept} == {
        name: whole[name] for name in numbers if name not in kept
    }
    assert {3, 2} == {whole[name] for name in kept}  # the largest, the least, the number of workers
    assert {name: {1: 6} for name in sketches} == {name: whole[name] for name in sketches}


def test_the_gate_is_asked_about_the_window() -> None:
    made = client([A, B], workers_lost=1, ceiling_chunks_per_s=9.0)

    assert (8, 7, 1, 1, 300.0, 9.0) == (
        made.planned,
        made.sent,
        made.workers_lost,
        made.shed,
        made.chunks_per_s,
        made.ceiling_chunks_per_s,
    )


def test_a_report_travels() -> None:
    assert msgspec.convert(msgspec.to_builtins(A), WorkerReport) == A
