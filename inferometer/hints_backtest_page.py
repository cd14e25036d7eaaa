"""Knows how a replay of policies is shown: its columns, and a page with attainment against GPU-hours; refuses to judge.

Source: spec/scaling.md 7 (scores); `loadtest.report_shapes`.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields

from inferometer.hints_backtest_rank import Range, Ranked
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
from slo.hints_replayed import BurstReplayed, PolicyReplayed
from slo.scaling.codes import Reason
from slo.scaling.verdicts import Burst

NAMES = tuple(column.name for column in fields(PolicyReplayed))
BRIEF = ("policy", "attainment", "gpu_h", "vs oracle", "misses", "queue_s", "turns/h", "front")
"""Columns of a table for people, whose intervals stand beside their means; other formats have all figures."""


def shown(of: Ranked) -> PolicyReplayed:
    """Return a policy as it is told, its figures rounded."""
    return PolicyReplayed(
        policy=of.policy,
        seeds=of.seeds,
        attainment_ratio=round(of.attainment.mean, 5),
        attainment_low=_rounded(of.attainment.low, 5),
        attainment_high=_rounded(of.attainment.high, 5),
        gpu_h=round(of.gpu_h.mean, 2),
        gpu_h_low=_rounded(of.gpu_h.low, 2),
        gpu_h_high=_rounded(of.gpu_h.high, 2),
        gpu_h_over_oracle=_rounded(of.gpu_h_over_oracle, 3),
        good_per_gpu_h=_rounded(of.good_per_gpu_h, 1),
        goodput_rps=round(of.goodput_rps, 3),
        miss_minutes=round(of.miss_minutes, 1),
        queue_max_s=round(of.queue_max_s, 1),
        reversals_per_h=round(of.reversals_per_h, 2),
        recovery_s=_rounded(of.recovery_s, 0),
        lost_in_drain=of.lost_in_drain,
        usd_per_mtok=_rounded(of.usd_per_mtok, 3),
        pareto_rank=of.rank,
        on_front=of.on_front,
        dominated_by=of.dominated_by,
        dominates=of.dominates,
    )


def shown_burst(of: Burst) -> BurstReplayed:
    """Return bursts as they are told."""
    return BurstReplayed(code=Reason.BURST_UNFOLLOWABLE, **asdict(of))


def row(of: Ranked) -> dict[str, object]:
    """Return a policy by column; names of others are one text."""
    one = shown(of)
    return {**asdict(one), "dominated_by": " ".join(one.dominated_by), "dominates": " ".join(one.dominates)}


def brief(of: Ranked) -> dict[str, object]:
    """Return a policy by column for people."""
    values = (
        of.policy,
        _with(of.attainment, 4),
        _with(of.gpu_h, 1),
        _rounded(of.gpu_h_over_oracle, 2),
        round(of.miss_minutes, 1),
        round(of.queue_max_s, 1),
        round(of.reversals_per_h, 1),
        "yes" if of.on_front else f"no: {of.dominated_by[0]}",
    )
    return dict(zip(BRIEF, values, strict=True))


def sheet(title: str, among: Sequence[Ranked], target: float, best: Ranked | None, facts: dict[str, str]) -> Sheet:
    """Return the page.

    Args:
        title: What was replayed.
        among: The policies.
        target: Share of requests that shall be good.
        best: The winner; None without one.
        facts: What else to say at the top.
    """
    kept = best is not None and best.attainment.mean >= target
    why = "fewest GPU-hours of those that keep the objective" if kept else "none keeps the objective; it comes nearest"
    sign = Sign(
        name="winner", word="none" if best is None else best.policy, tone=Tone.GOOD if kept else Tone.MUTED, why=why
    )
    return Sheet(
        title=title,
        signs=[sign],
        facts=list(facts.items()),
        sections=[Section(title="Policies", panels=[_plot(among, target), _intervals(among, target), _table(among)])],
        notes=["Simulated engines: signals are as late for every policy as they are in a cluster."],
    )


def _plot(among: Sequence[Ranked], target: float) -> Panel:
    groups = (("nobody is better", Tone.GOOD, True), ("another one is better", Tone.MUTED, False))
    series = [
        Series(
            name=name,
            tone=tone,
            mark=Mark.DOTS,
            points=sorted((one.gpu_h.mean, one.attainment.mean) for one in among if one.on_front is front),
        )
        for name, tone, front in groups
    ]
    return Panel(
        id="front",
        title="Attainment against GPU-hours",
        says="Up and left is better.",
        chart=Lines(
            x=Axis(label="GPU-hours", unit=Unit.COUNT),
            y=Axis(label="requests within their objectives", unit=Unit.RATIO),
            series=[one for one in series if one.points],
            rules=[Rule(axis="y", at=target, label="objective")],
        ),
        is_wide=True,
    )


def _intervals(among: Sequence[Ranked], target: float) -> Panel:
    rows = [
        Interval(
            label=one.policy,
            low=one.attainment.low,
            value=one.attainment.mean,
            high=one.attainment.high,
            tone=Tone.GOOD if one.attainment.mean >= target else Tone.BAD,
            words=f"{_with(one.attainment, 4)} at {one.gpu_h.mean:.1f} GPU-hours",
        )
        for one in among
    ]
    chart = Intervals(
        x=Axis(label="requests within their objectives", unit=Unit.RATIO),
        rows=rows,
        rules=[Rule(axis="x", at=target, label="objective")],
    )
    return Panel(id="attainment", title="Attainment", says="Means over seeds, with 95 % intervals.", chart=chart)


def _table(among: Sequence[Ranked]) -> Panel:
    rows = [["" if value is None else str(value) for value in row(one).values()] for one in among]
    figures = [at for at, name in enumerate(NAMES) if name not in {"policy", "on_front", "dominated_by", "dominates"}]
    return Panel(
        id="policies", title="All figures", table=Table(columns=list(NAMES), rows=rows, figures=figures), is_wide=True
    )


def _with(of: Range, digits: int) -> str:
    if of.low is None or of.high is None:
        return f"{of.mean:.{digits}f}"
    return f"{of.mean:.{digits}f} [{of.low:.{digits}f}, {of.high:.{digits}f}]"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
