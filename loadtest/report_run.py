"""Knows the page of one run: its first line, its facts, its panels in order; refuses to judge.

The first line says verdict, fit and environment. An unfit or void run shows every number and no verdict.

Source: spec/loadtest.md 18 (first line, plots), 5 (no verdict of an unfit run), 6 (overload).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from loadtest import report_client, report_latency, report_requests
from loadtest.conductor import EXIT_FAILED, EXIT_FAULT, EXIT_INTERRUPTED
from loadtest.fitness import Fit
from loadtest.plan_spec import Objectives
from loadtest.report_look import Look
from loadtest.report_shapes import Axis, Interval, Intervals, Panel, Rule, Section, Sheet, Sign, Table, Tone, Unit
from loadtest.report_words import NONE, count, duration, number, rate, share, short, shown
from loadtest.rows import Row
from loadtest.verdict import Verdict

MEANS = {
    "overload": "Latency then depends on how long the run lasts: only attainment and throughput are results.",
    "cold": "The engine may have been slower than it is once warm.",
    "drift": "The run is no steady state: a longer warm-up may help.",
}
"""What a flag makes of the figures."""
_TONES = {Verdict.PASSED: Tone.GOOD, Verdict.FAILED: Tone.BAD, Verdict.INCONCLUSIVE: Tone.MUTED}
_WORDS = {Verdict.PASSED: "pass", Verdict.FAILED: "fail", Verdict.INCONCLUSIVE: "inconclusive"}
_FITS = {Fit.FIT: Tone.GOOD, Fit.UNPROVEN: Tone.MUTED, Fit.UNFIT: Tone.BAD, Fit.VOID: Tone.BAD}
_SILENT = {Fit.UNFIT, Fit.VOID}
_TIMES = (("ttft_s", "TTFT"), ("tpot_s", "time per token"), ("e2e_s", "end to end"), ("gap_s", "longest gap"))


def sheet(report: Mapping[str, Any], rows: Sequence[Row], limits: Mapping[str, Objectives]) -> Sheet:
    """Return the page of a run.

    Args:
        report: `report.json`.
        rows: Every attempt, in any order.
        limits: Objectives of each workload class.
    """
    look = Look(report=report, rows=rows, limits=limits)
    client, load = report_client.sections(look)
    return Sheet(
        title=f"Load test {short(report['run_id'])}",
        signs=[verdict(report), fit(report), environment(report)],
        facts=_facts(look),
        notes=_notes(look),
        sections=[
            *([Section(title="Objectives", panels=[objectives(look)])] if _has_objectives(report) else []),
            report_latency.section(look),
            report_requests.section(look),
            load,
            client,
            Section(title="What was measured", panels=identity(report)),
        ],
    )


def verdict(report: Mapping[str, Any]) -> Sign:
    """Return what a run comes to."""
    told, state = report["verdict"], _state(report)
    message = shown(told["message"])
    if told["ended"] == EXIT_INTERRUPTED:
        return Sign(name="verdict", word="interrupted", tone=Tone.MUTED, why=message)
    if told["ended"] == EXIT_FAULT:
        return Sign(name="verdict", word="rows lost", tone=Tone.BAD, why=message)
    if state is None or state in _SILENT:
        return Sign(name="verdict", word="none", tone=Tone.MUTED, why="This run says nothing of the server.")
    if told["ended"] == EXIT_FAILED:
        return Sign(name="verdict", word=_WORDS[Verdict.FAILED], tone=Tone.BAD, why=message)
    attained = report["attainment"]
    if attained["verdict"] is None:
        return Sign(name="verdict", word="none", tone=Tone.MUTED, why="No objective was asked for (--slo, --ttft-max).")
    found, asked = Verdict(attained["verdict"]), attained["goodput_ratio"]
    low, high = attained["wilson"]
    why = (
        f"{count(attained['good'])} of {count(attained['judged'])} kept every objective: "
        f"{share(low, asked)} to {share(high, asked)}, asked {share(asked)}."
    )
    return Sign(name="verdict", word=_WORDS[found], tone=_TONES[found], why=why)


def fit(report: Mapping[str, Any]) -> Sign:
    """Return whether the client may speak."""
    state = _state(report)
    if state is None:
        return Sign(name="client", word="nothing was sent", tone=Tone.BAD)
    first = next((one for one in report["fit"]["checks"] if one["state"] != "held"), None)
    why = "" if first is None else f"{first['name']}: {first['found']}, allowed: {first['allowed']}."
    return Sign(name="client", word=state.value, tone=_FITS[state], why=why)


def environment(report: Mapping[str, Any]) -> Sign:
    """Return what is said of the surroundings."""
    found = report.get("environment")
    if not found:
        return Sign(name="environment", word="not looked at", tone=Tone.MUTED)
    worst = next((one for one in found if one["state"] != "ok"), None)
    if worst is None:
        return Sign(name="environment", word="ok", tone=Tone.GOOD)
    tone = Tone.BAD if worst["state"] == "unfit" else Tone.MUTED
    same = sum(one["state"] == worst["state"] for one in found)
    why = f"{same} of {len(found)} looks; {worst['name']}: {worst['found']}, allowed: {worst['allowed']}."
    return Sign(name="environment", word=shown(worst["state"]), tone=tone, why=shown(why))


def objectives(look: Look) -> Panel:
    """Return how each objective was kept, with its interval."""
    attained = look.report["attainment"]
    asked = attained["goodput_ratio"]
    is_silent = _state(look.report) in _SILENT
    rows: list[Interval] = []
    cells: list[list[str]] = []
    for name, one in attained["by_objective"].items():
        kept = one["good"] / one["judged"] if one["judged"] else None
        ends = f"{share(one['low'], asked)} to {share(one['high'], asked)}"
        tone = Tone.MUTED if is_silent else _tone(one["low"], one["high"], asked)
        words = f"{count(one['good'])} of {count(one['judged'])}"
        rows.append(Interval(label=shown(name), low=one["low"], value=kept, high=one["high"], tone=tone, words=words))
        cells.append([shown(name), words, share(kept, asked), ends])
    return Panel(
        id="objectives",
        title="Objectives",
        says=f"Share of the requests that kept each objective; asked of all together: {share(asked)}.",
        chart=Intervals(
            x=Axis(label="share that kept it", unit=Unit.RATIO),
            rows=rows,
            rules=[Rule(axis="x", at=asked, label=f"asked {share(asked)}")],
        ),
        table=Table(columns=["objective", "kept", "share", "95 % interval (Wilson)"], rows=cells, figures=[1, 2, 3]),
        notes=[
            _limits(look.limits),
            "Failures, time-outs and shed requests count as bad; planned aborts do not count.",
        ],
        is_wide=True,
    )


def identity(report: Mapping[str, Any]) -> list[Panel]:
    """Return what a run was made of, and how to make it again."""
    receipt = report["receipt"]
    found: list[dict[str, str]] = report.get("environment") or []
    lines = [[shown(one[name]) for name in ("name", "when", "state", "found", "allowed")] for one in found]
    told = {name: value for name, value in receipt.items() if name not in {"run", "rerun"}}
    return [
        Panel(
            id="rerun",
            title="Run it again",
            says="The same plan: equal seed and parameters give equal arrivals.",
            copy=shown(receipt.get("rerun", "")),
            table=_pairs(told | {"plan_sha256": report["plan"]["sha256"], "seed": report["plan"]["seed"]}),
            is_wide=True,
        ),
        Panel(
            id="environment",
            title="Environment",
            says="What was looked at around the run, the worst first." if lines else environment(report).word + ".",
            table=Table(columns=["what", "when", "state", "found", "allowed"], rows=lines) if lines else None,
        ),
        Panel(
            id="key",
            title="Key",
            says="What must be equal for a verdict between two runs.",
            table=_pairs(report["key"]),
        ),
    ]


def _facts(look: Look) -> list[tuple[str, str]]:
    report = look.report
    first_s, until_s = look.window_s
    found = report["throughput"]
    energy: Mapping[str, Any] = report.get("energy") or {}  # not in reports of before
    return [
        ("target", short(report["target"])),
        ("model", short(report["model"])),
        ("requests", count(report["population"]["n"])),
        ("measured", duration(until_s - first_s)),
        ("offered", rate(found["offered_per_s"], "requests")),
        ("output", rate(found["tokens_out_per_s"], "tok")),
        ("J / output token", number(energy.get("j_per_token_out"))),
        ("tokens in, out", f"{count(report['tokens']['in_p50'])}, {count(report['tokens']['out_p50'])} (medians)"),
    ]


def _notes(look: Look) -> list[str]:
    report = look.report
    found: list[str] = []
    if report["loop"] == "closed":
        found.append("Closed loop: each user asks again once answered. Never compare it with an open loop.")
    whole = report["receipt"].get("rows", 0)
    if len(look.rows) < whole:
        found.append(
            f"Drawn from {count(len(look.rows))} of {count(whole)} attempts, those of every so many-th arrival: counts "
            "and percentiles on this page are theirs. Those of all are in report.json."
        )
    if report["verdict"]["halt"]:
        found.append(f"The run ended early: {shown(report['verdict']['message'])}.")
    if _state(report) in _SILENT:
        found.append("No number is hidden, and none is a verdict: the client or its surroundings may have made it.")
    return found + [
        f"{flag['name']}: {flag['found']}, allowed: {flag['allowed']}. {MEANS.get(flag['name'], '')}".strip()
        for flag in report.get("flags", [])
    ]


def _limits(limits: Mapping[str, Objectives]) -> str:
    told = [
        f"{shown(name)}: {title} at most {duration(limit)}"
        for name, one in limits.items()
        for field, title in _TIMES
        if (limit := getattr(one, field)) is not None
    ]
    return f"{'; '.join(told)}."


def _pairs(values: Mapping[str, Any]) -> Table:
    rows = [[shown(name), _flat(value)] for name, value in values.items()]
    return Table(columns=["what", "value"], rows=rows)


def _flat(value: object) -> str:
    if value is None:
        return NONE
    if isinstance(value, Mapping):
        return ", ".join(f"{shown(name)} {shown(it)}" for name, it in value.items())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] -- shown as it is
    return shown(value)


def _has_objectives(report: Mapping[str, Any]) -> bool:
    return report["attainment"]["goodput_ratio"] is not None


def _state(report: Mapping[str, Any]) -> Fit | None:
    return None if report["fit"] is None else Fit(report["fit"]["state"])


def _tone(low: float | None, high: float | None, asked: float) -> Tone:
    if low is None or high is None:
        return Tone.MUTED
    return Tone.GOOD if low >= asked else Tone.BAD if high < asked else Tone.MUTED
