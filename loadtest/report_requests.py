"""Knows how single requests of a run are shown: where their time went, lanes, the slowest; refuses to explain them.

Source: spec/loadtest.md 18 (stacked mean, swim lanes); spec/measurement.md 6 (lag, connect, send, headers, queue,
prefill, residual).
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from loadtest.report_look import GROUPS, TONE, US, Look
from loadtest.report_shapes import Axis, Bars, Lane, Lanes, Layer, Panel, Section, Table, Tone, Unit
from loadtest.report_words import NONE, count, duration, shown
from loadtest.rows import Row
from telemetry.outcome import Outcome
from telemetry.percentile import P95, nearest_rank, rank
from telemetry.record import RequestRecord

LANES_MAX = 40
"""Most lanes of a chart."""
SLOWEST_MAX = 20
"""Most requests of the table of the slowest."""
_STAGES = (
    ("dispatch lag", Tone.MUTED),
    ("connect and send", Tone.C),
    ("wait for the first token", Tone.A),
    ("output", Tone.D),
)


def section(look: Look) -> Section:
    """Return the panels of single requests."""
    return Section(title="Requests", panels=[time_went(look), lanes(look), slowest(look)])


def time_went(look: Look) -> Panel:
    """Return the mean parts of the time to the first token, of all and of the slowest."""
    records = [record for record in look.good if record.ttft_us is not None]
    told = all(record.srv_queue_us is not None and record.srv_prefill_us is not None for record in records)
    groups = _groups(records)
    parts = [[_parts(record, told=told) for record in group] for _, group in groups]
    names = [name for name, _ in _named(told=told)]
    means = [{name: fmean(one[name] for one in found) / US for name in names} for found in parts if found]
    layers = [Layer(name=name, tone=tone, values=[mean[name] for mean in means]) for name, tone in _named(told=told)]
    rows = [[name, *(duration(mean[name]) for mean in means)] for name in names]
    rows.append(["time to first token", *(duration(sum(mean.values())) for mean in means)])
    note = (
        "Queue and prefill as the engine reported them; the rest is network, gateway and the engine's front end."
        if told
        else "The engine reported neither queue nor prefill time (vLLM: --enable-per-request-metrics)."
    )
    return Panel(
        id="ttft-parts",
        title="Where the time to first token went",
        says=f"Mean parts of the time to first token of {count(len(records))} good answers.",
        chart=Bars(x=Axis(label="mean time", unit=Unit.SECONDS), bars=[name for name, _ in groups], layers=layers)
        if records
        else None,
        table=Table(
            columns=["part", *(f"{name}, n = {count(len(group))}" for name, group in groups)],
            rows=rows if records else [],
            figures=[1, 2],
        ),
        notes=[note],
        is_wide=True,
    )


def lanes(look: Look) -> Panel:
    """Return the requests around the slowest one, at their true times."""
    found = sorted(look.counted, key=lambda row: row.t_sched_us)
    chosen = _around(found)
    first_s = chosen[0].t_sched_us / US if chosen else 0.0
    made = [_lane(row) for row in chosen]
    return Panel(
        id="lanes",
        title="Requests side by side",
        says=f"{len(chosen)} of {count(len(found))} requests: those planned around the slowest one.",
        chart=Lanes(x=Axis(label="time of the run", unit=Unit.SECONDS), stages=list(_STAGES), lanes=made)
        if made
        else None,
        table=Table(
            columns=["arrival", "planned at", *(name for name, _ in _STAGES), "ended"],
            rows=[
                [
                    lane.label,
                    duration(lane.stages[0][1]),
                    *(_length(lane, name) for name, _ in _STAGES),
                    lane.ended,
                ]
                for lane in made
            ],
            figures=[1, 2, 3, 4, 5],
        ),
        notes=[f"From {duration(first_s)} of the run on. Each lane begins at the planned arrival."],
        is_wide=True,
    )


def slowest(look: Look) -> Panel:
    """Return the slowest requests: failures by how long they took, too."""
    found = sorted(look.counted, key=_took_us, reverse=True)[:SLOWEST_MAX]
    columns = [
        *("arrival", "planned at", "outcome", "took", "first token", "per token", "longest gap"),
        *("lag", "connect", "tokens in", "tokens out", "record"),
    ]
    return Panel(
        id="slowest",
        title="Slowest requests",
        says=f"The {len(found)} requests that took longest, from the planned arrival to the end.",
        table=Table(columns=columns, rows=[_cells(row) for row in found], figures=[1, 3, 4, 5, 6, 7, 8, 9, 10]),
        notes=["The record is the key of its row in requests.jsonl, and in the table requests of the store."],
        is_wide=True,
    )


def _groups(records: Sequence[RequestRecord]) -> list[tuple[str, list[RequestRecord]]]:
    """Return all, and the slowest 5 % if there are enough to have any."""
    ordered = sorted(records, key=lambda record: record.ttft_us or 0)
    edge = nearest_rank([record.ttft_us or 0 for record in ordered], P95)
    if edge is None or len(ordered) < 20:  # noqa: PLR2004 -- the display floor of p95
        return [("all", ordered)]
    return [("all", ordered), ("slowest 5 %", ordered[rank(P95, len(ordered)) - 1 :])]


def _named(*, told: bool) -> list[tuple[str, Tone]]:
    middle = (
        [("queue", Tone.B), ("prefill", Tone.A), ("network and front end", Tone.D)]
        if told
        else [("wait for the head", Tone.B), ("head to first token", Tone.A)]
    )
    return [("dispatch lag", Tone.MUTED), ("connect", Tone.C), ("send", Tone.EXCLUDED), *middle]


def _parts(record: RequestRecord, *, told: bool) -> dict[str, int]:
    """Return the parts of a time to first token, microseconds; they add up to it."""
    lag, connect, send = record.sched_lag_us or 0, record.connect_us or 0, record.send_us or 0
    found = {"dispatch lag": lag, "connect": connect, "send": send}
    left = max(0, (record.ttft_us or 0) - lag - connect - send)
    if told:
        queue = min(left, record.srv_queue_us or 0)
        prefill = min(left - queue, record.srv_prefill_us or 0)
        return found | {"queue": queue, "prefill": prefill, "network and front end": left - queue - prefill}
    head = min(left, max(0, (record.headers_us or 0) - lag - connect - send))
    return found | {"wait for the head": head, "head to first token": left - head}


def _around(ordered: Sequence[Row]) -> Sequence[Row]:
    """Return at most `LANES_MAX` neighbours in time, the slowest one among them."""
    if not ordered:
        return []
    worst = max(range(len(ordered)), key=lambda at: _took_us(ordered[at]))
    first = min(max(0, worst - LANES_MAX // 2), max(0, len(ordered) - LANES_MAX))
    return ordered[first : first + LANES_MAX]


def _lane(row: Row) -> Lane:
    record = row.record
    edges = [0, record.sched_lag_us or 0]
    edges.append(edges[1] + (record.connect_us or 0) + (record.send_us or 0))
    edges.append(max(edges[2], record.ttft_us if record.ttft_us is not None else record.elapsed_us))
    edges.append(max(edges[3], record.elapsed_us))
    at_s = row.t_sched_us / US
    stages = [
        (name, at_s + since / US, at_s + until / US)
        for (name, _), (since, until) in zip(_STAGES, pairwise(edges), strict=True)
    ]
    return Lane(label=f"#{row.j}", stages=stages, ended=record.outcome.value, tone=TONE[record.outcome])


def _length(lane: Lane, name: str) -> str:
    return next(duration(until - since) for stage, since, until in lane.stages if stage == name)


def _cells(row: Row) -> list[str]:
    record = row.record
    group = GROUPS[TONE[record.outcome]][0]
    told = record.outcome.value if record.outcome is Outcome.OK else f"{record.outcome.value} ({group})"
    times = (record.ttft_us, record.tpot_us, record.icl_max_us, record.sched_lag_us, record.connect_us)
    return [
        f"#{row.j}",
        duration(row.t_sched_us / US),
        told,
        duration(_took_us(row) / US),
        *(NONE if us is None else duration(us / US) for us in times),
        count(record.tokens_in),
        count(record.tokens_out),
        shown(record.record_id),
    ]


def _took_us(row: Row) -> int:
    return row.record.elapsed_us if row.record.e2e_us is None else row.record.e2e_us
