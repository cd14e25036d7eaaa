"""Knows the columns of panels about durations that more than one question answers; refuses to know pages.

Source: spec/ui.md 5 (fleet.gave_up, ep.ttft, ep.stall, ep.phases, ep.vantage, lt.latency).
"""

from dataclasses import replace

from dashboards.asks import ENDS, SHOWN_PPM, renamed
from dashboards.asks_join import Part, joined
from telemetry.queries.asked import (
    Asked,
    Dim,
    Metric,
    Pick,
    Source,
    conditions,
    key_names,
    keys,
    parameters,
    table,
)
from telemetry.queries.buckets import PERCENTILES_PPM
from telemetry.queries.latency import fraction_below, percentiles
from telemetry.queries.question import Question, Select

STALL_LIMIT_US = 1_000_000
"""A gap beyond which a reader sees that the answer stands still."""
WAITS_S = (1, 4, 16)
"""Ends of the bands of waits, each of them the end of a bucket."""
PHASES = {
    "network": "residual_us",
    "tee": "tee_us",
    "queue": "srv_queue_us",
    "prefill": "srv_prefill_us",
    "decode": "if(isNull(e2e_us) OR isNull(ttft_us), NULL, greatest(e2e_us - ttft_us - ifNull(stall_us, 0), 0))",
    "stall": "if(isNull(e2e_us), NULL, ifNull(stall_us, 0))",
}
"""Phases of a request to what they are made of; what they do not explain is the rest."""
T = "t_unix_s"


def values(population: str, *, prefix: str = "", only: tuple[str, ...] = tuple(SHOWN_PPM)) -> dict[str, str]:
    """Return the columns of percentiles, as expressions over what `percentiles` answers."""
    found = {f"{prefix}n": f"n_{population}", f"{prefix}max": "max_s"}
    for name in only:
        at = PERCENTILES_PPM.index(SHOWN_PPM[name]) + 1
        found |= {f"{prefix}{name}{end}": f"{population}{of}[{at}]" for end, of in ENDS.items()}
    return found


def first_token(asked: Asked, pick: Pick) -> Question:
    """Ask for percentiles to the first token, with and without failures, and to the first visible one."""
    ttft = percentiles(asked, pick, Metric.TTFT)
    visible = percentiles(asked, pick, Metric.TTFO)
    parts = [
        Part(question=ttft, columns=values("all") | values("ok", prefix="ok_")),
        Part(question=visible, columns=values("all", prefix="visible_")),
    ]
    return by_time(parts)


def stalls(asked: Asked, pick: Pick) -> Question:
    """Ask for the p99 of the largest gap, and for the share of requests with one over the limit."""
    below = fraction_below(asked, pick, Metric.ICL_MAX, STALL_LIMIT_US)
    parts = [
        Part(question=percentiles(asked, pick, Metric.ICL_MAX), columns=values("ok", only=("p99",))),
        Part(question=below, columns={"over_limit": "1 - ok_below"}),
    ]
    return by_time(parts)


def gave_up(asked: Asked, pick: Pick) -> Question:
    """Ask how many clients left before any output, by how long they had waited, beside the p95 of the others' wait."""
    is_raw = pick.source is Source.RAW
    left = "outcome = 'client_cancelled' AND n_out_events = 0"
    bands: dict[str, str] = {}
    for at, name in enumerate(WAIT_NAMES):
        low, high = (0, *WAITS_S)[at], (*WAITS_S, None)[at]
        if is_raw:
            upper = "" if high is None else f" AND elapsed_us <= {high * 1_000_000}"
            lower = "" if low == 0 else f" AND elapsed_us > {low * 1_000_000}"
            bands[name] = f"countIf({left}{lower}{upper})"
        else:
            inside = " AND ".join(
                [*([f"k >= {_index(low)}"] if low else []), *([f"k < {_index(high)}"] if high else [])]
            )
            bands[name] = f"arraySum((k, v) -> if({inside}, v, 0), mapKeys(h), mapValues(h))"
    counted = Select(
        columns=[
            *keys(asked, pick),
            *([] if is_raw else ["sumMap(s.abandon_h) AS h"]),
            *(f"{text} / {{step_s:UInt32}} AS {name}" for name, text in bands.items()),
        ],
        source=table(pick),
        where=conditions(asked, pick),
        group_by=key_names(asked),
    )
    parts = [
        Part(
            question=Question(sql=counted.text(), parameters=parameters(asked, pick)),
            columns={name: name for name in bands},
        ),
        Part(
            question=percentiles(asked, pick, Metric.TTFT),
            columns=values("all", prefix="ttft_", only=("p95",)) | {"n": "n"},
        ),
    ]
    return by_time(parts)


def by_time(parts: list[Part]) -> Question:
    """Return several series as one, with `t`."""
    found = joined(T, parts)
    return renamed(found, [f"{T} AS t", f"* EXCEPT {T}"], ["t"])


def phases(asked: Asked, pick: Pick) -> Question:
    """Ask how long each phase of successful requests took on average; they add up to the end-to-end time."""
    parts = [f"{expression} AS {name}_us" for name, expression in PHASES.items()]
    rows = Select(
        columns=["*", *parts],
        source=replace_table(pick),
        where=[*conditions(asked, pick), "outcome = 'ok'", "isNotNull(srv_queue_us)"],
    )
    total = " + ".join(f"ifNull({name}_us, 0)" for name in PHASES)
    found = Select(
        columns=[
            *keys(asked, replace(pick, source=Source.RAW)),
            "count() AS n",
            *(f"avg({name}_us) / 1000000 AS {name}" for name in PHASES),
            f"avg(if(isNull(e2e_us), NULL, greatest(toInt64(e2e_us) - toInt64({total}), 0))) / 1000000 AS rest",
        ],
        source=rows,
        group_by=key_names(asked),
    )
    question = Question(sql=found.text(), parameters=parameters(asked, pick))
    return renamed(question, [f"{T} AS t", f"* EXCEPT {T}"], ["t"])


def vantages(asked: Asked, pick: Pick) -> Question:
    """Ask for the p95 to the first token as users and as probes saw it, each by who timed it."""
    whole = replace(asked, by=(Dim.TRAFFIC, Dim.TTFT_SOURCE), step_s=None)
    columns = [f"{text} AS {name}" for name, text in values("all", only=("p95",)).items()]
    found = percentiles(whole, replace(pick, source=Source.RAW, exact=True), Metric.TTFT)
    return renamed(found, ["concat(traffic, ', by ', ttft_source) AS vantage", *columns], ["vantage"])


def by_output_length(asked: Asked, pick: Pick) -> Question:
    """Ask for percentiles of the end-to-end time of each band of output lengths."""
    whole = replace(asked, by=(Dim.OUTPUT_LENGTH,), step_s=None)
    columns = [f"{text} AS {name}" for name, text in values("all").items()]
    found = percentiles(whole, replace(pick, source=Source.RAW, exact=True), Metric.E2E)
    band = "if(output_length = '', 'unknown', concat('from ', output_length, ' tokens')) AS band"
    order = "toUInt32OrZero(output_length) AS place"
    return renamed(found, [band, order, *columns], ["place"])


def replace_table(pick: Pick) -> str:
    """Return the raw rows, whatever was picked."""
    return table(replace(pick, source=Source.RAW))


WAIT_NAMES = ("up_to_1_s", "from_1_to_4_s", "from_4_to_16_s", "over_16_s")


def _index(seconds: int) -> int:
    """Return the least bucket above a power of two."""
    return 16 * (seconds.bit_length() - 1)
