"""Knows what is said of a load test: the report's document, and its tables for people; refuses to judge and to print.

Source: spec/loadtest.md 5 (the failing check first, no number hidden, no verdict of an unfit run), 18 (`report.json`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from inferometer.load_objectives import code
from inferometer.report_tables import Column, Table
from loadtest.baseline import Key
from loadtest.conductor import Ending
from loadtest.digest import Digest, Figure
from loadtest.planner import PlanReceipt
from loadtest.run_spec import RunSpec
from telemetry.outcome import DEFS_VERSION
from telemetry.percentile import Standing

SCHEMA = "inferometer.load/v1"
_WORDS = {Standing.FAILS: "fails", Standing.TOO_FEW: "n too small"}
_MS = ("ttft", "ttfo", "tpot", "max_gap")
_DIGITS = 4


def document(  # noqa: PLR0913 -- all that is told of a run
    run: RunSpec,
    plan: PlanReceipt,
    ending: Ending,
    found: Digest,
    *,
    window_ns: tuple[int, int],
    key: Key,
    attained: Mapping[str, Any],
    receipt: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the report."""
    fitness = ending.fitness
    return {
        "schema": SCHEMA,
        "defs_version": DEFS_VERSION,
        "run_id": run.run_id,
        "target": run.targets[0],
        "model": run.model,
        "loop": "open",
        "key": msgspec.to_builtins(key),
        "plan": {
            **{name: value for name, value in asdict(plan).items() if name != "planned"},
            "arrivals": plan.planned.n,
            "cv": plan.planned.cv,
            "index": plan.planned.index,
        },
        "sent": {"arrivals": found.sent.n, "cv": found.sent.cv, "index": found.sent.index},
        "fit": None if fitness is None else {"state": fitness.fit, "checks": [asdict(one) for one in fitness.checks]},
        "population": {
            "n": found.offered,
            "excluded": found.planned_aborts,
            "attempts": found.attempts,
            "window_ns": list(window_ns),
        },
        "metrics": [msgspec.to_builtins(figure) for figure in found.figures],
        "attainment": dict(attained),
        "outcomes": found.outcomes,
        "throughput": {"offered_per_s": found.rate_per_s, "tokens_out_per_s": found.tokens_out_per_s},
        "tokens": {"in_p50": found.tokens_in, "out_p50": found.tokens_out},
        "client": msgspec.to_builtins(_client(ending)),
        "verdict": {
            "code": code(ending.code, attained),
            "ended": ending.code,
            "halt": ending.halt,
            "message": ending.message,
        },
        "receipt": dict(receipt),
    }


def tables(report: Mapping[str, Any]) -> list[Table]:
    """Return the tables of a report, what is wrong first."""
    return [*_fit(report), *_objectives(report), _metrics(report), _counts(report)]


def markdown_head(report: Mapping[str, Any]) -> str:
    """Return the first line: what the run comes to."""
    verdict, fit = report["verdict"], report["fit"]
    state = "nothing was sent" if fit is None else fit["state"]
    return f"{report['run_id']}: {state}" + (f", {verdict['message']}" if verdict["message"] else "")


def _client(ending: Ending) -> dict[str, Any]:
    """Return what the client did, its sketches left out."""
    told = msgspec.structs.asdict(ending.whole)
    return {name: value for name, value in told.items() if not name.endswith("_us") or name == "truth_us"} | {
        "workers": len(ending.workers),
        "lost": list(ending.lost),
    }


def _fit(report: Mapping[str, Any]) -> list[Table]:
    fit = report["fit"]
    if fit is None:
        return []
    rows = tuple((one["name"], one["state"], one["found"], one["allowed"]) for one in fit["checks"])
    shown = rows if fit["state"] != "fit" else ()
    note = f"the client was {fit['state']}: {len(rows)} checks"
    columns = tuple(Column(name=name, figures=False) for name in ("check", "state", "found", "allowed"))
    return [Table(title="client", columns=columns, rows=shown, notes=(note,))]


def _objectives(report: Mapping[str, Any]) -> list[Table]:
    attained = report["attainment"]
    if attained["goodput_ratio"] is None:
        return []
    rows = tuple(
        (name, f"{one['good']} of {one['judged']}", _number(one["low"]), _number(one["high"]))
        for name, one in attained["by_objective"].items()
    )
    columns = tuple(Column(name=name, figures=name != "objective") for name in ("objective", "kept", "low", "high"))
    asked = f"asked of joint: {attained['goodput_ratio']:g}: {attained['verdict']}"
    fit = report["fit"]
    is_told = fit is not None and fit["state"] in {"fit", "unproven"}
    return [Table(title="objectives", columns=columns, rows=rows, notes=(asked if is_told else "no verdict: unfit",))]


def _metrics(report: Mapping[str, Any]) -> Table:
    figures = [msgspec.convert(one, Figure) for one in report["metrics"]]
    names = list(dict.fromkeys(figure.name for figure in figures))
    percents = list(dict.fromkeys(figure.p for figure in figures))
    rows = tuple(
        (name, _unit(name), *(_cell([one for one in figures if (one.name, one.p) == (name, p)]) for p in percents))
        for name in names
    )
    heads = (Column(name="metric", figures=False), Column(name="unit", figures=False))
    n = report["population"]["n"]
    return Table(
        title=f"latency from the planned arrival, n = {n}",
        columns=(*heads, *(Column(name=f"p{p:g}") for p in percents)),
        rows=rows,
        notes=("failures count as infinite; open loop",),
    )


def _counts(report: Mapping[str, Any]) -> Table:
    throughput, sent, plan = report["throughput"], report["sent"], report["plan"]
    rows = (
        ("outcomes", ", ".join(f"{name} {n}" for name, n in report["outcomes"].items()) or "none"),
        ("offered / s", _number(throughput["offered_per_s"])),
        ("output tokens / s", _number(throughput["tokens_out_per_s"])),
        ("gap CV planned, sent", f"{_number(plan['cv'])}, {_number(sent['cv'])}"),
        ("dispersion index planned, sent", f"{_number(plan['index'])}, {_number(sent['index'])}"),
    )
    columns = (Column(name="what", figures=False), Column(name="value", figures=False))
    return Table(title="counts", columns=columns, rows=rows)


def _cell(found: Sequence[Figure]) -> str:
    (figure,) = found
    if figure.value_s is None:
        return _WORDS[figure.standing]
    return _number(figure.value_s * (1000 if figure.name in _MS else 1))


def _unit(name: str) -> str:
    return "ms" if name in _MS else "s"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.{_DIGITS}g}"
