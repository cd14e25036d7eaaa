"""A run as its page looks at it, made by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from load_rows import row

from loadtest.plan_spec import Objectives
from loadtest.report_look import Look
from loadtest.report_shapes import Panel, Sheet
from loadtest.rows import Row
from loadtest.run_spec import Phase
from telemetry.outcome import Outcome

LIMITS = {"default": Objectives(ttft_s=0.5, tpot_s=0.03)}


def answers(n: int, *, failed: int = 0, gap_s: float = 0.5, **changes: Any) -> list[Row]:  # noqa: ANN401 -- of a record
    """Return requests whose TTFT is 101, 102, .. ms; the last ones fail."""
    made: list[Row] = []
    for j in range(n):
        is_bad = j >= n - failed
        outcome = Outcome.SERVER_ERROR if is_bad else Outcome.OK
        one = row(j, at_s=j * gap_s, outcome=outcome, ttft_us=None if is_bad else 101_000 + 1000 * j)
        lag = {"sched_lag_us": 300, "connect_us": 200, "send_us": 100, "headers_us": 50_000}
        made.append(with_record(one, **(lag | changes)))
    return made


def with_record(one: Row, **changes: Any) -> Row:  # noqa: ANN401 -- columns of a record
    return msgspec.structs.replace(one, record=msgspec.structs.replace(one.record, **changes))


def report(n: int = 0, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- parts of a report
    """Return a `report.json` with what pages read."""
    usual: dict[str, Any] = {
        "run_id": "r1",
        "target": "http://a",
        "model": "m",
        "loop": "open",
        "key": {"model": "m", "gpus": None},
        "plan": {"seed": 7, "sha256": "ff", "process": "poisson", "arrivals": n, "cv": 1.0, "index": 0.9},
        "sent": {"arrivals": n, "cv": 1.01, "index": None},
        "fit": {"state": "fit", "checks": [check("plan", "held"), check("cpu", "held")]},
        "environment": [],
        "flags": [],
        "population": {"n": n, "window_ns": [0, 30_000_000_000]},
        "attainment": {
            "joint": 0.99,
            "good": 99,
            "judged": 100,
            "wilson": [0.945, 0.998],
            "by_objective": {"joint": {"good": 99, "judged": 100, "low": 0.945, "high": 0.998}},
            "goodput_ratio": 0.9,
            "verdict": "pass",
        },
        "outcomes": {"ok": n} if n else {},
        "throughput": {"offered_per_s": 2.0, "tokens_out_per_s": 12.0},
        "tokens": {"in_p50": 16, "out_p50": 6},
        "client": {"workers": 1, "opened": 3, "reused": 9},
        "verdict": {"code": 0, "ended": 0, "halt": "", "message": ""},
        "receipt": {"rows": n, "rerun": "inferometer load run http://a", "versions": {"inferometer": "1"}, "run": {}},
    }
    return usual | changes


def check(name: str, state: str) -> dict[str, str]:
    return {"name": name, "state": state, "found": "1", "allowed": "2"}


def look(
    rows: Sequence[Row],
    limits: Mapping[str, Objectives] = LIMITS,
    **changes: Any,  # noqa: ANN401 -- parts of a report
) -> Look:
    return Look(report=report(len(rows), **changes), rows=rows, limits=limits)


def warm(one: Row) -> Row:
    return msgspec.structs.replace(one, run_phase=Phase.WARM_UP)


def panel(made: Sheet, name: str) -> Panel:
    (found,) = [one for section in made.sections for one in section.panels if one.id == name]
    return found
