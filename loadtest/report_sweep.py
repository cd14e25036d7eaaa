"""Knows the page of a sweep: how many requests kept the objectives at each rate, where that ends; refuses to search.

The number to act on is mu_star, the highest rate that is proven good, with the lowest rejected one above it; the knee
is a description beside it.

Source: spec/loadtest.md 7 (bracket, knee), 18 (rate vs attainment with mu_star), 19 (profile).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from loadtest.report_shapes import (
    Axis,
    Lines,
    Mark,
    Panel,
    Rule,
    Section,
    Series,
    Shade,
    Sheet,
    Sign,
    Table,
    Tone,
    Unit,
)
from loadtest.report_words import NONE, count, duration, number, rate, share, short, shown

_RATE = Axis(label="planned requests a second", unit=Unit.PER_S)
_USERS = Axis(label="users that ask at a time", unit=Unit.COUNT)
Steps = Sequence[Mapping[str, Any]]
"""The rows of `steps.csv`, numbers read, what is empty None; ascending by rate, or by users."""
_WORDS: dict[str, Callable[[Any], str]] = {
    "rate_rps": lambda value: rate(value, "requests"),
    "attainment": share,
    "lo": share,
    "hi": share,
    "ttft_p95_s": duration,
    "tpot_p95_s": duration,
    "e2e_p50_s": duration,
    "ttft_p50_s": duration,
    "tpot_p50_s": duration,
    "kv_used_p95": share,
    "gpu_util_ratio": share,
    "tokens_out_per_s": lambda value: rate(value, "tok"),
}


def sheet(name: str, steps: Steps, profile: Mapping[str, Any] | None, reports: Sequence[Mapping[str, Any]]) -> Sheet:
    """Return the page of a sweep.

    Args:
        name: Of the sweep.
        steps: Its steps.
        profile: The scaling profile; None if no rate was accepted, or none was looked for.
        reports: `report.json` of its runs.
    """
    is_closed = bool(steps) and "attainment" not in steps[0]
    x = _USERS if is_closed else _RATE
    curves = [
        _curve(steps, x, "tokens_out_per_s", "Output tokens", Unit.PER_S, profile),
        _curve(steps, x, "ttft_p95_s", "TTFT p95", Unit.SECONDS, profile),
        _curve(steps, x, "tpot_p95_s", "Time per output token, p95", Unit.SECONDS, profile),
        _curve(steps, x, "ttft_p50_s", "TTFT p50", Unit.SECONDS, profile),
        _curve(steps, x, "tpot_p50_s", "Time per output token, p50", Unit.SECONDS, profile),
        _curve(steps, x, "in_flight", "Requests in flight", Unit.COUNT, profile),
    ]
    shown_curves = [panel for panel in curves if panel is not None]
    first = [] if is_closed else [_attainment(steps, profile)]
    return Sheet(
        title=f"Sweep {short(name)}",
        signs=[_verdict(steps, profile, is_closed=is_closed), _clients(reports)],
        facts=_facts(profile, steps),
        notes=["Closed loop: it shows how output grows with users, and finds no rate."] if is_closed else [],
        sections=[
            Section(title="Curve", panels=[*first, *shown_curves]),
            Section(title="Steps", panels=[_table(steps), *([_runs(reports)] if reports else [])]),
            *([Section(title="Scaling profile", panels=[_profile(profile)])] if profile else []),
        ],
    )


def _verdict(steps: Steps, profile: Mapping[str, Any] | None, *, is_closed: bool) -> Sign:
    if profile is not None:
        accepted, rejected = profile["accepted_rps"], profile["rejected_rps"]
        above = "no rate was rejected" if rejected is None else f"{rate(rejected, 'requests')} was rejected"
        return Sign(
            name="mu_star", word=rate(accepted, "requests"), tone=Tone.GOOD, why=f"Highest rate proven good; {above}."
        )
    if is_closed:
        return Sign(name="mu_star", word="not looked for", tone=Tone.MUTED)
    why = "No rate that was tried is proven good." if steps else "No step came to its end."
    return Sign(name="mu_star", word="none", tone=Tone.BAD if steps else Tone.MUTED, why=why)


def _clients(reports: Sequence[Mapping[str, Any]]) -> Sign:
    states = [one["fit"]["state"] for one in reports if one["fit"] is not None]
    n = sum(state == "fit" for state in states)
    if not reports:
        return Sign(name="client", word=NONE, tone=Tone.MUTED, why="The runs are not beside the sweep.")
    return Sign(
        name="client", word=f"fit in {n} of {len(reports)} runs", tone=Tone.GOOD if n == len(reports) else Tone.MUTED
    )


def _attainment(steps: Steps, profile: Mapping[str, Any] | None) -> Panel:
    known = [(one["rate_rps"], one["attainment"], one["lo"], one["hi"]) for one in steps]
    rules = _marks(profile)
    if profile is not None:
        rules.append(Rule(axis="y", at=profile["slo"]["target"], label=f"asked {share(profile['slo']['target'])}"))
    return Panel(
        id="attainment",
        title="Share of requests that kept every objective",
        says="Each rate that was tried, with its 95 % interval; the range beside mu_star is not decided.",
        chart=Lines(
            x=_RATE,
            y=Axis(label="share that kept every objective", unit=Unit.RATIO),
            series=[
                Series(
                    name="attainment",
                    tone=Tone.A,
                    mark=Mark.POINTED,
                    points=[(at, value) for at, value, _, _ in known],
                    band=[(at, low, high) for at, _, low, high in known],
                )
            ],
            rules=rules,
            shades=_bracket(profile),
        )
        if known
        else None,
        table=Table(
            columns=["rate", "share", "95 % interval (Wilson)", "verdict"],
            rows=[
                [
                    rate(one["rate_rps"], "requests"),
                    share(one["attainment"]),
                    f"{share(one['lo'])} to {share(one['hi'])}",
                    shown(one["verdict"]),
                ]
                for one in steps
            ],
            figures=[0, 1, 2],
        ),
        is_wide=True,
    )


def _curve(
    steps: Steps, x: Axis, column: str, title: str, unit: Unit, profile: Mapping[str, Any] | None
) -> Panel | None:
    """Return one column over the rate; None if no step has it."""
    at = "rate_rps" if x is _RATE else "users"
    points = [(one[at], one.get(column)) for one in steps]
    if all(value is None for _, value in points):
        return None
    series = [Series(name=title, tone=Tone.A, mark=Mark.POINTED, points=[*points])]
    if column == "tokens_out_per_s" and x is _RATE:
        good = [(one[at], _times(one["attainment"], one[column])) for one in steps]
        series.append(Series(name="of requests that kept all", tone=Tone.C, mark=Mark.POINTED, points=[*good]))
    limit = (profile or {}).get("slo", {}).get(column.replace("_p95", "").replace("_p50", ""))
    rules = [*_marks(profile), *([Rule(axis="y", at=limit, label="objective")] if limit is not None else [])]
    return Panel(
        id=f"curve-{column}",
        title=title,
        says=f"{title} by {x.label}; a gap is a step that failed it or had too few.",
        chart=Lines(x=x, y=Axis(label=title, unit=unit), series=series, rules=rules if x is _RATE else []),
        table=Table(
            columns=[x.label, title],
            rows=[[number(found), _word(column, value)] for found, value in points],
            figures=[0, 1],
        ),
    )


def _marks(profile: Mapping[str, Any] | None) -> list[Rule]:
    if profile is None:
        return []
    named = (("mu_star", profile["accepted_rps"]), ("knee", profile["knee_rps"]))
    return [Rule(axis="x", at=at, label=name) for name, at in named if at is not None]


def _bracket(profile: Mapping[str, Any] | None) -> list[Shade]:
    if profile is None or profile["rejected_rps"] is None:
        return []
    return [Shade(first=profile["accepted_rps"], until=profile["rejected_rps"], label="between accepted and rejected")]


def _table(steps: Steps) -> Panel:
    columns = list(steps[0]) if steps else []
    return Panel(
        id="steps",
        title="Steps",
        says=f"{len(steps)} steps; the same as steps.csv.",
        table=Table(
            columns=columns,
            rows=[[_word(name, one[name]) for name in columns] for one in steps],
            figures=[at for at, name in enumerate(columns) if name not in {"verdict", "loop"}],
        ),
        is_wide=True,
    )


def _runs(reports: Sequence[Mapping[str, Any]]) -> Panel:
    rows = [
        [
            shown(one["run_id"]),
            "nothing was sent" if one["fit"] is None else shown(one["fit"]["state"]),
            rate(one["throughput"]["offered_per_s"], "requests"),
            f"{count(one['attainment']['good'])} of {count(one['attainment']['judged'])}",
            f"{shown(one['run_id'])}/report.html",
        ]
        for one in reports
    ]
    columns = ["run", "client", "offered", "kept every objective", "its report, beside this folder"]
    return Panel(
        id="runs",
        title="Runs",
        says=f"{len(rows)} runs; one whose client is not fit counts for no step.",
        table=Table(columns=columns, rows=rows, figures=[2, 3]),
        is_wide=True,
    )


def _profile(profile: Mapping[str, Any]) -> Panel:
    told = {name: value for name, value in profile.items() if name != "curve"}
    rows = [[shown(name), _flat(value)] for name, value in told.items()]
    return Panel(
        id="profile",
        title="Scaling profile",
        says="What is handed to whoever scales: profile.json.",
        table=Table(columns=["what", "value"], rows=rows),
        is_wide=True,
    )


def _facts(profile: Mapping[str, Any] | None, steps: Steps) -> list[tuple[str, str]]:
    found = [("steps", count(len(steps)))]
    if profile is not None:
        found += [
            ("mu_star", rate(profile["accepted_rps"], "requests")),
            ("rejected", rate(profile["rejected_rps"], "requests")),
            ("knee", rate(profile["knee_rps"], "requests")),
            ("output at mu_star", rate(profile["tokens_out_per_s"], "tok")),
            ("asked", share(profile["slo"]["target"])),
        ]
    return found


def _word(column: str, value: Any) -> str:  # noqa: ANN401 -- a cell
    if value is None:
        return NONE
    return _WORDS.get(column, number)(value) if isinstance(value, int | float) else shown(value)


def _times(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one * other


def _flat(value: object) -> str:
    if value is None:
        return NONE
    if isinstance(value, Mapping):
        return ", ".join(f"{shown(name)} {_flat(it)}" for name, it in value.items())  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] -- shown as it is
    return ", ".join(map(str, value)) if isinstance(value, list) else shown(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] -- likewise
