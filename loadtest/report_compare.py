"""Knows the page of two sets of runs side by side: a gate's verdict, or a comparison that has none; refuses to judge.

Changes are those of `load gate` (`loadtest.compare`): above 0 is worse. What cannot be a ratio is a word.

Source: spec/loadtest.md 12 (differing keys: a labelled comparison), 13 (verdicts, margins), 18.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.report_latency import SHOWN
from loadtest.report_look import E2E, GAP, TPOT, TTFT, US, Latency, Look
from loadtest.report_reduce import steps
from loadtest.report_shapes import (
    Axis,
    Interval,
    Intervals,
    Lines,
    Mark,
    Panel,
    Rule,
    Section,
    Series,
    Sheet,
    Sign,
    Table,
    Tone,
    Unit,
)
from loadtest.report_words import NONE, change, count, duration, rate, share, short, shown
from loadtest.verdict import Verdict
from telemetry.percentile import Standing, percentile

_TONES = {Verdict.PASSED: Tone.GOOD, Verdict.FAILED: Tone.BAD, Verdict.INCONCLUSIVE: Tone.MUTED}
_SHARES = frozenset({"attainment", "bad_ratio"})
_PPM_PER_PERCENT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One side.

    Attributes:
        name: What it is, for the legend.
        looks: Its runs, at least one.
    """

    name: str
    looks: Sequence[Look]


def sheet(
    title: str,
    arms: tuple[Arm, Arm],
    metrics: Sequence[Mapping[str, Any]],
    *,
    verdict: str | None,
    labels: Sequence[str],
) -> Sheet:
    """Return the page.

    Args:
        title: Of it.
        arms: What is compared with what: baseline, candidate.
        metrics: Each metric, as `load gate --output json` tells it.
        verdict: Of the gate; None for a comparison, which has none.
        labels: What a reader must know before any number: who is not fit, what differs.
    """
    told = Verdict(verdict) if verdict is not None else None
    sign = Sign(name="verdict", word=told or "none", tone=_TONES[told] if told else Tone.MUTED, why=_why(metrics, told))
    panels = [_changes(metrics, has_verdict=told is not None, of_shares=of_shares) for of_shares in (False, True)]
    return Sheet(
        title=title,
        signs=[sign, *(Sign(name=arm.name, word=_fits(arm), tone=_tone(arm)) for arm in arms)],
        facts=[(arm.name, ", ".join(short(look.report["run_id"]) for look in arm.looks)) for arm in arms],
        notes=[shown(label) for label in labels],
        sections=[
            Section(title="Changes", panels=[panel for panel in panels if panel.table and panel.table.rows]),
            Section(title="Latency", panels=[_overlay(arms, one) for one in (TTFT, E2E, TPOT, GAP)]),
            Section(title="Runs", panels=[_runs(arms), _keys(arms)]),
        ],
    )


def _changes(metrics: Sequence[Mapping[str, Any]], *, has_verdict: bool, of_shares: bool) -> Panel:
    mine = [one for one in metrics if (one["metric"] in _SHARES) == of_shares]
    rows = [_interval(one, has_verdict=has_verdict) for one in mine]
    cells = [
        [
            shown(one["metric"]),
            *([one["verdict"]] if has_verdict else []),
            _change(one["worse_ratio"], of_shares=of_shares),
            _ends(one, of_shares=of_shares),
            _change(one["margin_ratio"], of_shares=of_shares),
            count(one["n"]),
            shown(one["reason"]) + (f"; {count(one['n_needed'])} needed" if one["n_needed"] else ""),
        ]
        for one in mine
    ]
    columns = ["metric", *(["verdict"] if has_verdict else []), "worse by", "95 % interval", "margin", "n", "why"]
    figures = [at for at, name in enumerate(columns) if name in {"worse by", "95 % interval", "margin", "n"}]
    what = "Shares, difference in points" if of_shares else "Ratios, candidate over baseline"
    return Panel(
        id="changes-shares" if of_shares else "changes",
        title=what,
        says="Right of 0 is worse. The bar is the 95 % interval, the dashed mark the margin that may pass.",
        chart=Intervals(
            x=Axis(label="worse by, points" if of_shares else "worse by", unit=Unit.CHANGE),
            rows=rows,
            rules=[Rule(axis="x", at=0.0, label="no change")],
        )
        if any(row.value is not None for row in rows)
        else None,
        table=Table(columns=columns, rows=cells, figures=figures),
        notes=["Requests of the same ten seconds count as one draw of the bootstrap. Failures are infinite."],
        is_wide=True,
    )


def _interval(one: Mapping[str, Any], *, has_verdict: bool) -> Interval:
    ends = [value if isinstance(value := one[name], int | float) else None for name in ("low_ratio", "high_ratio")]
    value = one["worse_ratio"] if isinstance(one["worse_ratio"], int | float) else None
    return Interval(
        label=shown(one["metric"]),
        low=ends[0],
        value=value,
        high=ends[1],
        tone=_TONES[Verdict(one["verdict"])] if has_verdict else Tone.A,
        words=shown(one["worse_ratio"] if isinstance(one["worse_ratio"], str) else one["reason"]),
        margin=one["margin_ratio"],
    )


def _overlay(arms: tuple[Arm, Arm], latency: Latency) -> Panel:
    """Return how a latency is distributed in both arms, all runs of each together."""
    series: list[Series] = []
    rows: list[list[str]] = []
    for arm, tone in zip(arms, (Tone.B, Tone.A), strict=True):
        ordered = sorted(us for look in arm.looks for us in look.ordered(latency))
        failures = sum(look.failures for look in arm.looks)
        points = [(us / US, part) for us, part in steps(ordered, failures)]
        if points:
            series.append(Series(name=arm.name, tone=tone, mark=Mark.STEP, points=[*points]))
        cells = [_cell(ordered, p_ppm, failures) for p_ppm in SHOWN]
        rows.append([arm.name, count(len(ordered) + failures), *cells, count(failures)])
    return Panel(
        id=f"spread-{latency.name}",
        title=latency.title,
        says=f"All runs of an arm together; {latency.means}.",
        chart=Lines(
            x=Axis(label=latency.title, unit=Unit.SECONDS),
            y=Axis(label="share of requests", unit=Unit.RATIO),
            series=series,
            rules=arms[1].looks[0].rules(latency, "x"),
        )
        if series
        else None,
        table=Table(
            columns=["arm", "n", *(f"p{p_ppm / _PPM_PER_PERCENT:g}" for p_ppm in SHOWN), "failed"],
            rows=rows,
            figures=[1, 2, 3, 4, 5, 6],
        ),
    )


def _runs(arms: tuple[Arm, Arm]) -> Panel:
    rows = [
        [
            arm.name,
            shown(look.report["run_id"]),
            _fit(look),
            count(look.report["population"]["n"]),
            rate(look.report["throughput"]["offered_per_s"], "requests"),
            rate(look.report["throughput"]["tokens_out_per_s"], "tok"),
            share(look.report["attainment"]["joint"]),
        ]
        for arm in arms
        for look in arm.looks
    ]
    columns = ["arm", "run", "client", "requests", "offered", "output", "kept every objective"]
    return Panel(
        id="runs",
        title="Runs",
        says=f"{len(rows)} runs.",
        table=Table(columns=columns, rows=rows, figures=[3, 4, 5, 6]),
        is_wide=True,
    )


def _keys(arms: tuple[Arm, Arm]) -> Panel:
    before, after = (arm.looks[0].report["key"] for arm in arms)
    differing = [name for name in before if before[name] != after.get(name)]
    ordered = [*differing, *(name for name in before if name not in differing)]
    rows = [
        [name, _plain(before[name]), _plain(after.get(name)), "" if name not in differing else "differs"]
        for name in ordered
    ]
    says = f"{len(differing)} parts differ." if differing else "Nothing differs."
    columns = ["part", arms[0].name, arms[1].name, ""]
    return Panel(id="keys", title="Keys", says=says, table=Table(columns=columns, rows=rows), is_wide=True)


def _why(metrics: Sequence[Mapping[str, Any]], told: Verdict | None) -> str:
    if told is None:
        return "A comparison has no verdict: that is load gate."
    found = [one for one in metrics if one["verdict"] == told]
    words = ", ".join(
        f"{shown(one['metric'])} {_change(one['worse_ratio'], of_shares=one['metric'] in _SHARES)}" for one in found
    )
    return f"{len(found)} of {len(metrics)} metrics: {words}." if found else ""


def _change(value: float | str | None, *, of_shares: bool) -> str:
    if isinstance(value, str):
        return value
    if of_shares and value is not None:
        return f"{100 * value:+.2f} points"
    return change(value)


def _ends(one: Mapping[str, Any], *, of_shares: bool) -> str:
    if one["low_ratio"] is None or one["high_ratio"] is None:
        return NONE
    return " to ".join(_change(one[name], of_shares=of_shares) for name in ("low_ratio", "high_ratio"))


def _cell(ordered: Sequence[int], p_ppm: int, failures: int) -> str:
    found = percentile(ordered, p_ppm, failures=failures)
    if found.value is None:
        return found.standing.value if found.standing is Standing.TOO_FEW else "fails"
    return duration(found.value / US)


def _fit(look: Look) -> str:
    fit = look.report["fit"]
    return "nothing was sent" if fit is None else shown(fit["state"])


def _fits(arm: Arm) -> str:
    return ", ".join(sorted({_fit(look) for look in arm.looks}))


def _tone(arm: Arm) -> Tone:
    return Tone.GOOD if _fits(arm) == "fit" else Tone.BAD


def _plain(value: object) -> str:
    return NONE if value is None else shown(value)
