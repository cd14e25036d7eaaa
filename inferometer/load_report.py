"""Knows what is said of a load test: the report's document, and its tables for people; refuses to judge and to print.

Source: spec/loadtest.md 5 (the failing check first, no number hidden, no verdict of an unfit run), 18 (`report.json`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from inferometer import load_roofline
from inferometer.load_objectives import code
from inferometer.report_tables import Column, Table
from loadtest.baseline import Key
from loadtest.conductor import Ending
from loadtest.digest import Digest, Figure
from loadtest.environment import Finding, State
from loadtest.flags import Flag
from loadtest.planner import PlanReceipt
from loadtest.run_spec import RunSpec
from telemetry.outcome import DEFS_VERSION, Outcome
from telemetry.percentile import Standing

SCHEMA = "inferometer.load/v1"
_WORDS = {Standing.FAILS: "fails", Standing.TOO_FEW: "n too small"}
_MS = ("ttft", "ttfo", "tpot", "max_gap")
_DIGITS = 4
_FROM = {"open": "the planned arrival", "closed": "the end of the answer before"}


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
    environment: Sequence[Finding] = (),
    flags: Sequence[Flag] = (),
    roofline: Mapping[str, Any] | None = None,
    baseline_id: str = "",
    energy_j: float | None = None,
) -> dict[str, Any]:
    """Return the report."""
    fitness = ending.fitness
    return {
        "schema": SCHEMA,
        "defs_version": DEFS_VERSION,
        "run_id": run.run_id,
        "name": run.name,
        "git_sha": run.git_sha,
        "baseline_id": baseline_id,
        "target": run.targets[0],
        "model": run.model,
        "loop": key.loop,
        "key": msgspec.to_builtins(key),
        "plan": {
            **{name: value for name, value in asdict(plan).items() if name != "planned"},
            "arrivals": plan.planned.n if key.loop == "open" else None,
            "cv": plan.planned.cv,
            "index": plan.planned.index,
        },
        "sent": {"arrivals": found.sent.n, "cv": found.sent.cv, "index": found.sent.index},
        "fit": None if fitness is None else {"state": fitness.fit, "checks": [asdict(one) for one in fitness.checks]},
        "environment": [msgspec.to_builtins(one) for one in environment],
        "flags": [msgspec.to_builtins(one) for one in flags],
        "population": {
            "n": found.offered,
            "excluded": found.planned_aborts,
            "censored": found.outcomes.get(Outcome.CLIENT_CANCELLED, 0),
            "attempts": found.attempts,
            "window_ns": list(window_ns),
        },
        "metrics": [msgspec.to_builtins(figure) for figure in found.figures],
        "attainment": dict(attained),
        "outcomes": found.outcomes,
        "throughput": {"offered_per_s": found.rate_per_s, "tokens_out_per_s": found.tokens_out_per_s},
        "energy": _energy(energy_j, found.tokens_out_per_s, window_ns),
        "tokens": {"in_p50": found.tokens_in, "out_p50": found.tokens_out},
        "prompts": None if run.calibration is None else asdict(run.calibration),
        "cost_usd": _cost_usd(run, ending),
        "client": msgspec.to_builtins(_client(ending)),
        "verdict": {
            "code": code(ending.code, attained),
            "ended": ending.code,
            "halt": ending.halt,
            "message": ending.message,
            "reasons": [] if fitness is None else list(fitness.reasons),
        },
        "roofline": roofline,
        "profile": None,  # a sweep has one
        "receipt": dict(receipt),
    }


def tables(report: Mapping[str, Any]) -> list[Table]:
    """Return the tables of a report, what is wrong first."""
    first = [*_fit(report), *_environment(report), *_objectives(report)]
    return [*first, _metrics(report), _counts(report), *load_roofline.tables(report.get("roofline"))]


def markdown_head(report: Mapping[str, Any]) -> str:
    """Return the first line: what the run comes to."""
    verdict, fit = report["verdict"], report["fit"]
    state = "nothing was sent" if fit is None else fit["state"]
    flagged = ", ".join(one["name"] for one in [*report["flags"], *_flagged(report)])
    said = [state, *([verdict["message"]] if verdict["message"] else []), *([f"flags: {flagged}"] if flagged else [])]
    return f"{report['run_id']}: {', '.join(said)}"


def _cost_usd(run: RunSpec, ending: Ending) -> float | None:
    """Return what the run cost; None without prices, or if an answer did not tell its tokens."""
    whole = ending.whole
    return None if whole.uncounted else run.ceilings.cost_usd(whole.tokens_in, whole.tokens_out)


def _energy(energy_j: float | None, tokens_out_per_s: float | None, window_ns: tuple[int, int]) -> dict[str, Any]:
    """Return the energy of all GPUs in the measured part, and of an output token that came within it."""
    tokens = (tokens_out_per_s or 0.0) * (window_ns[1] - window_ns[0]) / 1e9
    return {"energy_j": energy_j, "j_per_token_out": energy_j / tokens if energy_j is not None and tokens > 0 else None}


def _client(ending: Ending) -> dict[str, Any]:
    """Return what the client did, its sketches left out."""
    told = msgspec.structs.asdict(ending.whole)
    return {name: value for name, value in told.items() if not name.endswith("_us") or name == "truth_us"} | {
        "workers": len(ending.workers),
        "lost": list(ending.lost),
        "clocks": list(ending.clocks),
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


def _environment(report: Mapping[str, Any]) -> list[Table]:
    """Return what was found in the surroundings and is not ok, and what is said beside the figures."""
    found = [one for one in report["environment"] if one["state"] != State.OK]
    rows = tuple((one["name"], one["when"], one["state"], one["found"], one["allowed"]) for one in found)
    rows += tuple((one["name"], "measured", State.FLAG.value, one["found"], one["allowed"]) for one in report["flags"])
    if not rows:
        return []
    columns = tuple(Column(name=name, figures=False) for name in ("what", "when", "state", "found", "allowed"))
    return [Table(title="environment", columns=columns, rows=rows, notes=())]


def _flagged(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in report["environment"] if one["state"] == State.FLAG]


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
        title=f"latency from {_FROM[report['loop']]}, n = {n}",
        columns=(*heads, *(Column(name=f"p{p:g}") for p in percents)),
        rows=rows,
        notes=(f"failures count as infinite; {report['loop']} loop",),
    )


def _counts(report: Mapping[str, Any]) -> Table:
    throughput, sent, plan = report["throughput"], report["sent"], report["plan"]
    energy: Mapping[str, Any] = report.get("energy") or {}
    rows = (
        ("outcomes", ", ".join(f"{name} {n}" for name, n in report["outcomes"].items()) or "none"),
        ("offered / s", _number(throughput["offered_per_s"])),
        ("output tokens / s", _number(throughput["tokens_out_per_s"])),
        ("J / output token", _number(energy.get("j_per_token_out"))),
        ("tokens a word, besides", _words_told(report.get("prompts"))),
        ("gap CV planned, sent", f"{_number(plan['cv'])}, {_number(sent['cv'])}"),
        ("dispersion index planned, sent", f"{_number(plan['index'])}, {_number(sent['index'])}"),
    )
    columns = (Column(name="what", figures=False), Column(name="value", figures=False))
    return Table(title="counts", columns=columns, rows=rows)


def _words_told(prompts: Mapping[str, Any] | None) -> str:
    if prompts is None:
        return "1, 0: nobody asked"
    told = f"{_number(prompts['tokens_per_word'])}, {_number(prompts['tokens_fixed'])}"
    return f"{told}: assumed, {prompts['why']}" if prompts["why"] else f"{told}: asked of the endpoint"


def _cell(found: Sequence[Figure]) -> str:
    (figure,) = found
    if figure.value_s is None:
        return _WORDS[figure.standing]
    return _number(figure.value_s * (1000 if figure.name in _MS else 1))


def _unit(name: str) -> str:
    return "ms" if name in _MS else "s"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.{_DIGITS}g}"
