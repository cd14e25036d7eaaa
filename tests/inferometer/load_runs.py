"""Kept runs of a load test, as `inferometer load run` leaves them."""

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from load_rows import row

from inferometer import load_files
from inferometer.load_key import Engine, key
from inferometer.load_objectives import are_asked, attainment, limits
from inferometer.load_report import document
from loadtest.conductor import Conductor, Ending, Halt
from loadtest.digest import digest
from loadtest.goodput import goodput
from loadtest.plan_spec import Objectives, PlanSpec, RateCurve, WorkloadClass
from loadtest.planner import build, receipt
from loadtest.rows import Row
from loadtest.run_spec import RunSpec, Window
from loadtest.sketch import Sketch, add
from loadtest.worker_report import WorkerReport

SECONDS, RATE = 120.0, 5.0
ENGINE = Engine(engine="vllm", engine_version="0.32.0", flags={"max-num-seqs": 256})


def plan(seed: int = 7, objectives: Objectives = Objectives()) -> PlanSpec:  # noqa: B008 -- immutable
    rate = RateCurve(points=((0.0, RATE),))
    return PlanSpec(seed=seed, rate=rate, duration_s=SECONDS, classes=(WorkloadClass(objectives=objectives),))


def rows(seed: int, slower: float = 1.0, n: int = 150) -> list[Row]:
    """Return requests whose TTFT is lognormal about 400 ms."""
    random = Random(seed)  # noqa: S311 -- seeded
    return [
        row(j, at_s=j * SECONDS / n, ttft_us=round(400_000 * slower * random.lognormvariate(0, 0.3))) for j in range(n)
    ]


def kept_run(
    directory: Path,
    run_id: str,
    found: Sequence[Row],
    *,
    spec: PlanSpec | None = None,
    engine: Engine = ENGINE,
    lag_us: float = 100.0,
    halt: Halt = Halt.NONE,
    warmup_s: float = 0.0,
) -> Path:
    """Write a run and return its directory."""
    run = RunSpec(
        run_id=run_id,
        targets=("http://a",),
        plan=spec or plan(),
        directory=str(directory / run_id),
        model="m",
        warmup_s=warmup_s,
    )
    load_files.made(directory / run_id, run)
    sums = load_files.written(directory / run_id, list(found))
    built = build(run.plan)
    window_ns = Window(run, built).measured_ns
    report = document(
        run,
        receipt(built),
        ended(Conductor(built, 1), len(found), lag_us, halt),
        digest(found, window_ns),
        window_ns=window_ns,
        key=key(run, built, engine),
        attained=attainment(goodput(found, limits(run.plan)), 0.9 if are_asked(run.plan) else None),
        receipt={"rows_sha256": sums, "rows": len(found), "run": msgspec.to_builtins(run)},
    )
    load_files.write_report(directory / run_id, json.loads(msgspec.json.encode(report)), "")
    return directory / run_id


def ended(conductor: Conductor, n: int, lag_us: float, halt: Halt) -> Ending:
    """Return what a run comes to whose only worker sent n requests, each this late."""
    lags: Sketch = {}
    add(lags, [lag_us] * 20)
    if halt:
        conductor.halt(halt)
    conductor.took(
        WorkerReport(
            worker=0, due=n, sent=n, window_due=n, window_sent=n, lag_us=lags, read_us=lags, in_flight_s=1.0,
            elapsed_s=1.0, over=True,
        )
    )  # fmt: skip
    return conductor.ending()


def edited(directory: Path, name: str, change: dict[str, Any]) -> None:
    """Change parts of a file of a run."""
    path = directory / name
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
