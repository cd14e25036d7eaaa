"""Knows how the numbers of endpoints stand side by side; refuses to know which panel shows them.

Source: spec/ui.md 5 (fleet.endpoints, ep.stats), 4 (outcome groups).
"""

from collections.abc import Mapping
from dataclasses import replace

from dashboards.asks import ENDS, GROUPS, SHOWN_PPM, of_group
from dashboards.asks_demand import arrivals
from dashboards.asks_engine import HIT_RATIO, MINUTE_S, engine_rates, engine_steps, grown
from dashboards.asks_engine import parameters as filters
from dashboards.asks_join import ONE, Part, alone, joined
from telemetry.queries.asked import Asked, Dim, Metric, Pick, Source, conditions, parameters, table
from telemetry.queries.buckets import PERCENTILES_PPM
from telemetry.queries.question import Question, Select
from telemetry.queries.several import side_by_side
from telemetry.queries.traffic import throughput

SLOTS = 90
"""Slots of a heartbeat."""
RATE_STEPS_MAX = 240
"""Steps between which counters of a whole window are compared: what they lose at a restart is a step at most."""
_WORST = ("fault", "broken", "slow", "unreachable", "throttled", "gave_up")
_NAMES = ("good", "excluded", *GROUPS)
"""Outcome groups by their number in a slot (spec/ui.md 4)."""


def endpoints(asked: Asked, pick: Pick) -> Question:
    """Ask for the numbers of each endpoint, the ones with most bad requests first."""
    by = replace(asked, by=(Dim.ENDPOINT,), step_s=None)
    shown = {Metric.TTFT: "all", Metric.TPOT: "ok"}
    parts = [
        _requests(by, pick, shown, {"bad_ratio": "if(n_good + n_bad = 0, NULL, n_bad / (n_good + n_bad))"}),
        Part(question=_heartbeat(by, pick), columns={}, lists={"heartbeat": "heartbeat"}),
        Part(question=arrivals(_answered(by, pick), "endpoint"), columns={"in_per_s": f"arrived / {_SECONDS}"}),
        Part(question=throughput(by, pick), columns={"out_tokens_per_s": "tokens_per_s"}),
        Part(question=_gauges(by, "endpoint"), columns={"waiting": "waiting", "kv_max": "kv_max"}),
        Part(question=_hints(by), columns={"hint": "hint"}),
    ]
    return joined("endpoint", parts, ["bad_ratio DESC", "endpoint"])


def stats(asked: Asked, pick: Pick) -> Question:
    """Ask for the same of all that is asked for together, one row."""
    whole = replace(asked, by=(), step_s=None)
    shown = {Metric.TTFT: "all", Metric.TPOT: "ok", Metric.E2E: "all"}
    rates = {"out_tokens_per_s": "tokens_per_s", "in_tokens_per_s": "tokens_in_per_s"}
    parts = [
        alone(),
        _requests(whole, pick, shown, {"good_ratio": "if(n_good + n_bad = 0, NULL, n_good / (n_good + n_bad))"}),
        Part(question=arrivals(_answered(whole, pick)), columns={"in_per_s": f"arrived / {_SECONDS}"}),
        Part(question=throughput(whole, pick), columns=rates),
        Part(question=_gauges(whole), columns={name: name for name in ("running", "waiting", "kv_max", "replicas_up")}),
        Part(question=_rates(whole), columns={name: name for name in ("preemptions_per_s", "prefix_hit_ratio")}),
    ]
    return joined(ONE, parts)


_SECONDS = "(({until:Int64} - {since:Int64}) / 1000)"


def _answered(asked: Asked, pick: Pick) -> Asked:
    """Return the same of the time that is answered, which all parts share."""
    return replace(asked, since_ms=pick.since_ms, until_ms=pick.until_ms)


def _requests(asked: Asked, pick: Pick, shown: Mapping[Metric, str], more: Mapping[str, str]) -> Part:
    """Return what is read of requests in one pass: how many, and a p95 of each duration with its bounds.

    Args:
        asked: Which.
        pick: The table.
        shown: Durations, and the population that is shown of each.
        more: Further columns.
    """
    at = PERCENTILES_PPM.index(SHOWN_PPM["p95"]) + 1
    columns = {"n": "n", **more}
    for metric, population in shown.items():
        stem = metric.value
        columns |= {f"{stem}_p95{end}": f"{stem}_{population}{of}[{at}]" for end, of in ENDS.items()}
        columns |= {f"{stem}_n": f"{stem}_n_{population}", f"{stem}_max": f"{stem}_max_s"}
    return Part(question=side_by_side(asked, pick, tuple(shown)), columns=columns)


def _heartbeat(asked: Asked, pick: Pick) -> Question:
    time = "toUnixTimestamp64Milli(ended_at)" if pick.source is Source.RAW else "toInt64(toUnixTimestamp(t)) * 1000"
    slot = f"intDiv(({time} - {{since:Int64}}) * {SLOTS}, {{until:Int64}} - {{since:Int64}})"
    is_raw = pick.source is Source.RAW
    worst = ", ".join(f"({of_group(name, pick.source)}) > 0, {_NAMES.index(name)}" for name in _WORST)
    good = "countIf(eligible = 'good')" if is_raw else "sum(s.good)"
    slots = Select(
        columns=["endpoint", f"toUInt8({slot}) AS slot", f"toUInt8(multiIf({worst}, {good} > 0, 0, 1)) AS worst"],
        source=table(pick),
        where=conditions(asked, pick),
        group_by=["endpoint", "slot"],
    )
    known = "CAST((groupArray(slot), groupArray(worst)), 'Map(UInt8, UInt8)') AS m"
    found = Select(
        columns=[
            "endpoint",
            known,
            f"arrayMap(k -> if(mapContains(m, toUInt8(k)), m[toUInt8(k)], NULL), range({SLOTS})) AS heartbeat",
        ],
        source=slots,
        group_by=["endpoint"],
    )
    return Question(sql=found.text(), parameters=parameters(asked, pick))


def _gauges(asked: Asked, *keys: str) -> Question:
    """Ask what engines said last: of each replica the last minute of the window."""
    asked = _in_steps(asked)
    steps = engine_steps(asked)
    newest = Select(
        columns=["s.endpoint", "s.replica", "max(s.t)"],
        source=steps.source,
        where=steps.where,
        group_by=["s.endpoint", "s.replica"],
    )
    of_newest = replace(steps, where=[*steps.where, f"(s.endpoint, s.replica, s.t) IN (\n{newest.text()}\n)"])
    found = Select(
        columns=[
            *keys,
            "sumOrNull(running) AS running",
            "sumOrNull(queued) AS waiting",
            "maxOrNull(kv_max) AS kv_max",
            "if(count() = 0, NULL, uniqExactIf(replica, n_up > 0)) AS replicas_up",
        ],
        source=of_newest,
        group_by=keys,
    )
    return Question(sql=found.text(), parameters=filters(asked))


_STEPS_KNOWN = "uniqExactIf(t_unix_s, isNotNull(preemptions_total_grew) AND seconds > 0)"
"""Steps that have a rate: the first of a window has none."""


def _rates(asked: Asked) -> Question:
    """Ask by how much counters of engines grew."""
    asked = _in_steps(asked)
    found = Select(
        columns=[
            f"{grown('preemptions_total')} / {_STEPS_KNOWN} AS preemptions_per_s",
            f"{HIT_RATIO} AS prefix_hit_ratio",
        ],
        source=engine_rates(asked),
    )
    return Question(sql=found.text(), parameters=filters(asked))


def _in_steps(asked: Asked) -> Asked:
    """Return the same in whole minutes, the same ones wherever it is asked for: one answer has one step."""
    minutes = -(-(asked.until_ms - asked.since_ms) // (MINUTE_S * 1000 * RATE_STEPS_MAX))
    return replace(asked, step_s=MINUTE_S * minutes)


def _hints(asked: Asked) -> Question:
    found = Select(
        columns=["s.target AS endpoint", "argMax(toString(s.action), s.issued_at) AS hint"],
        source="inferometer.hints AS s",
        where=[
            "s.issued_at >= fromUnixTimestamp64Milli({since:Int64})",
            "s.issued_at < fromUnixTimestamp64Milli({until:Int64})",
        ],
        group_by=["s.target"],
    )
    return Question(sql=found.text(), parameters={"since": asked.since_ms, "until": asked.until_ms})
