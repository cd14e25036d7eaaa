import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from load_rows import row

from inferometer.load_key import UNKNOWN, key
from inferometer.load_objectives import attainment, limits
from inferometer.load_report import SCHEMA, document, markdown_head, tables
from inferometer.report_tables import Table, markdown
from loadtest.conductor import EXIT_INCONCLUSIVE, Conductor, Ending
from loadtest.digest import Digest, digest
from loadtest.goodput import goodput
from loadtest.plan_spec import PlanSpec, RateCurve
from loadtest.planner import build, receipt
from loadtest.rows import Row
from loadtest.run_spec import RunSpec
from loadtest.sketch import Sketch, add
from loadtest.worker_report import WorkerReport
from telemetry.outcome import Outcome

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


def table(title: str, told: dict[str, Any]) -> Table:
    (found,) = [one for one in tables(told) if one.title.startswith(title)]
    return found


def test_the_report_is_enough_to_repeat_the_run() -> None:
    told = report()

    assert (SCHEMA, "r1", "open", 7, PLAN.sha256, 20) == (
        told["schema"],
        told["run_id"],
        told["loop"],
        told["plan"]["seed"],
        told["plan"]["sha256"],
        told["plan"]["arrivals"],
    )
    assert {"rows": 0, "rows_sha256": "ff"} == told["receipt"]


def test_a_fit_client_is_one_line() -> None:
    told = report()

    assert ("fit", ()) == (told["fit"]["state"], table("client", told).rows)
    assert "r1: fit" == markdown_head(told)


def test_of_an_unfit_client_the_broken_check_stands_first_and_no_number_is_hidden() -> None:
    told = report(ending(lag_us=50_000))
    shown = table("client", told)

    assert ("dispatch lag p99", "broken") == shown.rows[0][:2]
    assert markdown_head(told).startswith("r1: unfit, dispatch lag p99")
    assert 5 == len(table("latency", told).rows)


def test_where_nothing_was_sent_there_is_no_proof() -> None:
    told = report(ending(sent=0))

    assert told["fit"] is None
    assert "nothing was sent" in markdown_head(told)
    assert 2 == len(tables(told))


@pytest.mark.parametrize("unknown", ["n/a", "n too small"])
def test_what_is_unknown_is_a_word(unknown: str) -> None:
    assert unknown in "".join(markdown(one) for one in tables(report()))


def test_objectives_are_told_and_an_unfit_run_has_no_verdict() -> None:
    rows = [row(j, outcome=Outcome.OK if j else Outcome.SERVER_ERROR) for j in range(50)]
    told = report(rows=rows, ratio=0.9)
    shown = table("objectives", told)

    assert ("joint", "49 of 50") == shown.rows[0][:2]
    assert ("asked of joint: 0.9: inconclusive",) == shown.notes
    assert (EXIT_INCONCLUSIVE, 0) == (told["verdict"]["code"], told["verdict"]["ended"])
    assert ("no verdict: unfit",) == table("objectives", report(ending(lag_us=50_000), rows=rows, ratio=0.9)).notes
