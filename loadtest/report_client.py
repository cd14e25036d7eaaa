"""Knows how the client's side of a run is shown: the proof of its fitness, its lags, what it sent; refuses to judge it.

Source: spec/loadtest.md 5 (the failing check first), 2 (planned and achieved CV and index), 18 (lag panel).
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from loadtest.fitness import LAG_P99_US_MAX, READ_P99_US_MAX
from loadtest.report_look import GROUPS, TIME, TONE, US, Look
from loadtest.report_reduce import BINS_MAX, Bins, binned, bins, steps
from loadtest.report_shapes import Axis, Layer, Lines, Mark, Panel, Rule, Section, Series, Stack, Table, Tone, Unit
from loadtest.report_words import count, duration, number, rate, share, width
from telemetry.outcome import Outcome
from telemetry.percentile import P50, P99, nearest_rank

TOKENS_S = 2.0
"""Least width of a bin of tokens: answers tell theirs by seconds, so narrower ones show only that."""


def sections(look: Look) -> list[Section]:
    """Return the proof, and what was sent and came back."""
    return [
        Section(title="Fitness of the client", panels=[proof(look), lags(look)]),
        Section(title="Load and outcomes", panels=[outcomes(look), arrivals(look), tokens(look), flight(look)]),
    ]


def proof(look: Look) -> Panel:
    """Return every check, the failing ones first."""
    fit = look.report["fit"]
    checks: list[dict[str, str]] = [] if fit is None else fit["checks"]
    rows = [[one["name"], one["state"], one["found"], one["allowed"]] for one in checks]
    state = "nothing was sent" if fit is None else fit["state"]
    held = sum(one["state"] == "held" for one in checks)
    return Panel(
        id="fit",
        title="Checks",
        says=f"The client was {state}: {held} of {len(checks)} checks are held.",
        table=Table(columns=["check", "state", "found", "allowed"], rows=[*rows, *_client(look.report["client"])]),
        notes=["A run whose client is not fit says nothing of the server."],
        is_wide=True,
    )


def lags(look: Look) -> Panel:
    """Return how late the client sent, and how late it read."""
    firsts = [row for row in look.counted if row.record.attempt == 1]
    sent = sorted(us for row in firsts if (us := row.record.sched_lag_us) is not None)
    read = sorted(us for row in look.counted if (us := row.read_lag_max_us) is not None)
    named = (("dispatch lag", Tone.A, sent), ("latest read of an answer", Tone.B, read))
    series = [
        Series(
            name=name,
            tone=tone,
            mark=Mark.STEP,
            points=[(max(us, 1) / US, part) for us, part in steps(ordered)],
        )
        for name, tone, ordered in named
        if ordered
    ]
    told = ", ".join(f"{name} p99 {duration(_s(nearest_rank(ordered, P99)))}" for name, _, ordered in named)
    return Panel(
        id="lags",
        title="Dispatch and read lag",
        says=f"How late requests were sent and answers were read: {told}.",
        chart=Lines(
            x=Axis(label="lag", unit=Unit.SECONDS, log=True),
            y=Axis(label="share", unit=Unit.RATIO),
            series=series,
            rules=[
                Rule(axis="x", at=LAG_P99_US_MAX / US, label="dispatch p99 at most"),
                Rule(axis="x", at=READ_P99_US_MAX / US, label="read p99 at most"),
            ],
        )
        if series
        else None,
        table=Table(
            columns=["lag", "n", "p50", "p99", "largest"],
            rows=[
                [
                    name,
                    count(len(ordered)),
                    *(duration(_s(nearest_rank(ordered, p))) for p in (P50, P99)),
                    duration(_s(ordered[-1] if ordered else None)),
                ]
                for name, _, ordered in named
            ],
            figures=[1, 2, 3, 4],
        ),
        notes=[
            "The check of the read lag counts every read, against the kernel's stamp; here only the latest of each."
        ],
    )


def outcomes(look: Look) -> Panel:
    """Return how requests ended, by planned arrival."""
    tones = {at: TONE[row.record.outcome] for at, row in enumerate(look.rows)}
    by = binned([(row.t_sched_us / US, float(at)) for at, row in enumerate(look.rows)], look.bins)
    shown = [tone for tone in GROUPS if tone in set(tones.values())]
    values = {tone: [float(sum(tones[int(at)] is tone for at in part)) for part in by] for tone in shown}
    found = look.report["outcomes"]
    total = sum(found.values())
    words = ", ".join(f"{name} {count(n)}" for name, n in found.items()) or "nothing was sent"
    rows = [[name, GROUPS[TONE[Outcome(name)]][0], count(n), share(n / total)] for name, n in found.items()]
    return Panel(
        id="outcomes",
        title="Outcomes over time",
        says=f"How the requests of the measured part ended: {words}.",
        chart=Stack(
            x=TIME,
            y=Axis(label=f"attempts in {width(look.bins.width_s)}", unit=Unit.COUNT),
            first=0.0,
            width=look.bins.width_s,
            layers=[Layer(name=GROUPS[tone][0], tone=tone, values=values[tone]) for tone in shown],
            shades=look.shades(),
        )
        if shown
        else None,
        table=Table(columns=["outcome", "group", "requests", "share"], rows=rows, figures=[2, 3]),
        notes=["The chart counts every attempt of the run, the table the last attempt of each measured arrival."],
        is_wide=True,
    )


def arrivals(look: Look) -> Panel:
    """Return what was planned and what was sent."""
    plan, sent = look.report["plan"], look.report["sent"]
    firsts = [row for row in look.rows if row.record.attempt == 1 and row.turn == 1]
    counts = [
        [len(part) / look.bins.width_s for part in binned([(at_s, 0.0) for at_s in times], look.bins)]
        for times in (
            [row.t_sched_us / US for row in firsts],
            [row.sent_us / US for row in firsts if row.sent_us is not None],
        )
    ]
    planned, achieved = ([(look.bins.middle(k), value) for k, value in enumerate(found)] for found in counts)
    law = plan["process"] or "as recorded"
    rows = [
        ["arrivals", count(plan["arrivals"]), count(sent["arrivals"])],
        ["CV of the gaps", number(plan["cv"]), number(sent["cv"])],
        ["dispersion index of counts in 1 s", number(plan["index"]), number(sent["index"])],
    ]
    notes = [f"Arrivals: {law}, seed {plan['seed']}."]
    if plan["arrivals"] is not None and len(firsts) < plan["arrivals"]:
        notes.append(f"{count(plan['arrivals'] - len(firsts))} planned arrivals have no row, and are not drawn.")
    return Panel(
        id="arrivals",
        title="Planned and sent arrivals",
        says=f"{count(sent['arrivals'])} arrivals were sent; planned: {count(plan['arrivals'])}.",
        chart=Lines(
            x=TIME,
            y=Axis(label="arrivals a second", unit=Unit.PER_S),
            series=[
                Series(name="planned", tone=Tone.MUTED, mark=Mark.LINE, points=[*planned]),
                Series(name="sent", tone=Tone.A, mark=Mark.LINE, points=[*achieved], dashed=True),
            ],
            shades=look.shades(),
        )
        if firsts
        else None,
        table=Table(columns=["", "planned", "sent"], rows=rows, figures=[1, 2]),
        notes=notes,
        is_wide=True,
    )


def tokens(look: Look) -> Panel:
    """Return output tokens a second."""
    placed = [
        ((row.t_sched_us + row.record.ttft_us) / US + second, float(n))
        for row in look.rows
        if row.record.ttft_us is not None
        for second, n in enumerate(row.record.tok_by_s)
    ]
    by = bins(look.end_s, min(BINS_MAX, max(1, int(look.end_s / TOKENS_S))))
    parts = binned([one for one in placed if one[0] < look.end_s], by)
    per_s = [(by.middle(k), sum(part) / by.width_s) for k, part in enumerate(parts)]
    return _series(
        look,
        per_s if placed else [],
        by,
        Panel(
            id="tokens",
            title="Output tokens",
            says=f"{rate(look.report['throughput']['tokens_out_per_s'], 'tok')} in the measured part.",
            notes=[
                "By seconds from the first token of each answer on; tokens behind the end of the plan are left out."
            ],
        ),
        "tokens/s",
    )


def flight(look: Look) -> Panel:
    """Return requests in flight."""
    found = in_flight(look) if look.rows else []
    said = f"{rate(look.report['throughput']['offered_per_s'], 'requests')} were offered in the measured part."
    notes = [
        "From the planned arrival to the end, mean of each bin. What keeps growing is more than the target carries."
    ]
    panel = Panel(id="in-flight", title="Requests in flight", says=said, notes=notes)
    return _series(look, found, look.bins, panel, "requests in flight")


def _series(look: Look, points: Sequence[tuple[float, float]], by: Bins, panel: Panel, name: str) -> Panel:
    """Return a panel with one series over time as its chart, and as its table."""
    chart = Lines(
        x=Axis(label="time", unit=Unit.SECONDS),
        y=Axis(label=name, unit=Unit.COUNT),
        series=[Series(name=name, tone=Tone.A, mark=Mark.LINE, points=[*points])],
        shades=look.shades(),
    )
    rows = [[duration(k * by.width_s), number(value)] for k, (_, value) in enumerate(points)]
    table = Table(columns=["from", name], rows=rows, figures=[0, 1])
    return msgspec.structs.replace(panel, chart=chart if points else None, table=table)


def in_flight(look: Look) -> list[tuple[float, float]]:
    """Return the mean number of requests in flight in each bin, at the bin's middle."""
    width_s, n = look.bins.width_s, look.bins.n
    held_s = [0.0] * n
    for row in look.rows:
        since_s = row.t_sched_us / US
        until_s = min(since_s + row.record.elapsed_us / US, n * width_s)
        for k in range(look.bins.at(since_s), look.bins.at(until_s) + 1):
            held_s[k] += max(0.0, min(until_s, (k + 1) * width_s) - max(since_s, k * width_s))
    return [(look.bins.middle(k), held / width_s) for k, held in enumerate(held_s)]


def _client(client: dict[str, Any]) -> Sequence[list[str]]:
    """Return what is known of the client beside its checks."""
    told = (
        ("workers", count(client.get("workers"))),
        ("connections opened", count(client.get("opened"))),
        ("attempts on a kept connection", count(client.get("reused"))),
    )
    return [[name, "", found, ""] for name, found in told]


def _s(us: int | None) -> float | None:
    return None if us is None else us / US
