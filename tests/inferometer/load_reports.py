"""A small run and its report, as tests of several modules use them."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from inferometer.load_key import UNKNOWN, key
from inferometer.load_objectives import attainment, limits
from inferometer.load_report import document
from loadtest.conductor import Conductor, Ending
from loadtest.digest import Digest, digest
from loadtest.goodput import goodput
from loadtest.plan_spec import PlanSpec, RateCurve
from loadtest.planner import build, receipt
from loadtest.rows import Row
from loadtest.run_spec import RunSpec
from loadtest.sketch import Sketch, add
from loadtest.worker_report import WorkerReport

SPEC = PlanSpec(seed=7, rate=RateCurve(points=((0.0, 40.0),)), count=20)
PLAN = build(SPEC)
RUN = RunSpec(run_id="r1", targets=("http://a",), plan=SPEC, directory="d", model="m")


def sketch(us: float) -> Sketch:
    made: Sketch = {}
    add(made, [us] * 20)
    return made


def ending(lag_us: float = 100.0, sent: int = 20, reads_per_s: float | None = None) -> Ending:
    conductor = Conductor(PLAN, 1)
    conductor.took(
        WorkerReport(
            worker=0,
            due=sent,
            sent=sent,
            window_due=sent,
            window_sent=sent,
            lag_us=sketch(lag_us),
            read_us=sketch(50),
            reads_per_s=reads_per_s,
            in_flight_s=1.0,
            elapsed_s=1.0,
            over=True,
        )
    )
    return conductor.ending()


def report(
    end: Ending | None = None, found: Digest | None = None, rows: Sequence[Row] = (), ratio: float | None = None
) -> dict[str, Any]:
    made = document(
        RUN,
        receipt(PLAN),
        end or ending(),
        found or digest([], (0, 10**9)),
        window_ns=(0, 10**9),
        key=key(RUN, PLAN, UNKNOWN),
        attained=attainment(goodput(rows, limits(RUN.plan)), ratio),
        receipt={"rows": 0, "rows_sha256": "ff"},
    )
    plain: dict[str, Any] = json.loads(msgspec.json.encode(made))
    return plain
