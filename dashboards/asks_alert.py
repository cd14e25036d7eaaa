"""Knows what stood around the start of an alert, as rows of panels; refuses to call any of it the cause.

Before ends ten minutes before the start of the alert, for a burn is seen late; where no alert is meant it is the first
half of the time. The peak is the worst minute since, by bad requests, with two minutes on either side. Numbers are
medians of minutes.

Source: spec/ui.md 5 (alert.signal, alert.context, alert.exemplars); spec/slo.md 4 (burn), 12.
"""

from collections.abc import Mapping
from dataclasses import replace

from dashboards.asks import renamed
from dashboards.asks_engine import engine_rates, gpu_steps, grown
from dashboards.asks_engine import parameters as of_samples
from dashboards.asks_latency import PHASES
from telemetry.panel import Unit
from telemetry.queries.about import About, last_day, scope_of
from telemetry.queries.asked import Asked, Pick, Source, conditions, key_names, keys, parameters, table
from telemetry.queries.bad_events import COUNTS, EXEMPLARS_EACH, IS_BAD
from telemetry.queries.bad_events import exemplars as of_bad
from telemetry.queries.counted import BUCKET_S
from telemetry.queries.question import Question, Select
from telemetry.queries.spent import CountedGroup, series

MINUTE_S = 60
BURN_S = 300
"""Time over which a burn is told: the short window of the fastest rule."""
LEAD_S = 600
"""Longest time by which an alert is taken to begin after what it is about."""
_PEAK_S = 120
_NO_NUMBER = "CAST(NULL, 'Nullable(Float64)')"


def signal(asked: Asked, pick: Pick) -> Question:
    """Ask for the share that was good, and for the burn of five minutes, each beside its median of that side.

    Without an objective requests count by the classes of outcomes; nothing is promised then, and nothing burns.
    """
    about, counts = asked.about or About(), _counts(asked, pick)
    (began, values), (since, first) = _began(asked), _since(asked)
    over = f"OVER (ORDER BY t RANGE BETWEEN {BURN_S - 1} PRECEDING AND CURRENT ROW)"
    target = _NO_NUMBER if about.target is None else "{target:Float64}"
    steps = Select(
        columns=[
            *("t", "n", "(n - bad) / nullIf(n, 0) AS sli"),
            f"sum(bad) {over} / nullIf(sum(n) {over}, 0) / (1 - {target}) AS burn",
        ],
        source=f"(\n{counts.sql}\n)",
    )
    side = f"t < {began}"
    shown = Select(
        columns=["t", "n", *(text for name in ("sli", "burn") for text in (name, _median(name, side)))],
        source=steps,
        where=[since],
        order_by=["t"],
    )
    values |= {} if about.target is None else {"target": about.target}
    return Question(sql=shown.text(), parameters={**counts.parameters, **values, **first})


def good(asked: Asked, pick: Pick) -> Question:
    """Ask for the share that was good in each step."""
    counts, (since, first) = _counts(asked, pick), _since(asked)
    shown = Select(
        columns=["t", "n", "(n - bad) / nullIf(n, 0) AS good"],
        source=f"(\n{counts.sql}\n)",
        where=[since],
        order_by=["t"],
    )
    return replace(counts, sql=shown.text(), parameters={**counts.parameters, **first})


def context(asked: Asked, _pick: Pick) -> Question:
    """Ask for the facts of requests, engines and GPUs before and at the peak, what changed most first."""
    asked = replace(last_day(asked), step_s=MINUTE_S)
    requests, values = _minutes(asked)
    facts = {requests: _OF_REQUESTS, _engines(asked): _OF_ENGINES, _gpus(asked): _OF_GPUS}
    began, of_began = _began(asked)
    worst = Select(
        columns=["t"],
        source=f"(\n{requests}\n)",
        where=[f"t >= {began}"],
        order_by=["bad DESC", "t"],
        tail="LIMIT 1",
    )
    sides = {"before": f"t < {began}", "at_peak": f"t BETWEEN peak_s - {_PEAK_S} AND peak_s + {_PEAK_S}"}
    found = Select(
        given=[f"(\n{worst.text()}\n) AS peak_s"],
        columns=[
            *("fact", "any(of_unit) AS unit"),
            *(
                f"if(countIf({of}) = 0, NULL, quantileExactIf(0.5)(value, {of})) AS {name}"
                for name, of in sides.items()
            ),
            "if(before > 0, at_peak / before, NULL) AS change",
        ],
        source="(\n" + "\nUNION ALL\n".join(_told(source, of) for source, of in facts.items()) + "\n)",
        where=["isNotNull(value)"],
        group_by=["fact"],
        # What rises from nothing has no ratio, and says most.
        order_by=["ifNull(before = 0 AND at_peak > 0, 0) DESC", "abs(log(change)) DESC NULLS LAST", "fact"],
    )
    return Question(sql=found.text(), parameters={**of_samples(asked), **values, **of_began})


def exemplars(asked: Asked, _pick: Pick) -> Question:
    """Ask for the three longest bad requests, and for one that is like most of the others."""
    columns = [
        f"if(q.worst <= {EXEMPLARS_EACH}, 'worst', 'typical') AS kind",
        "toString(q.record_id) AS id",
        "intDiv(q.t_unix_ms, 1000) AS at",
        "if(q.outcome = 'ok', 'answered, not good enough', q.outcome) AS ended",
        *("q.elapsed_us / 1000000 AS elapsed", "q.replica AS replica", "q.trace_id AS trace"),
        *("q.worst AS worst", "q.typical AS typical"),
    ]
    found = renamed(of_bad(scope_of(last_day(asked))), columns)
    shown = Select(
        columns=["* EXCEPT (worst, typical)"],
        source=f"(\n{found.sql}\n)",
        where=[f"worst <= {EXEMPLARS_EACH} OR typical = 1"],
        order_by=["worst"],
    )
    return replace(found, sql=shown.text())


_Facts = Mapping[str, tuple[Unit, str]]
_OF_REQUESTS: _Facts = {
    "requests": (Unit.PER_S, f"n / {MINUTE_S}"),
    "bad": (Unit.RATIO, "bad / nullIf(counted, 0)"),
    "gave up": (Unit.RATIO, "left / n"),
    "time to first token, p50": (Unit.SECONDS, "ttft_us / 1000000"),
    "prompt, p50": (Unit.TOKENS, "tokens_in"),
    "answer, p50": (Unit.TOKENS, "tokens_out"),
    **{f"{name}, p50": (Unit.SECONDS, f"{name}_us / 1000000") for name in ("queue", "prefill", "decode", "stall")},
}
_OF_ENGINES: _Facts = {
    "waiting": (Unit.REQUESTS, "waiting"),
    "running": (Unit.REQUESTS, "running"),
    "KV cache, fullest": (Unit.RATIO, "kv_max"),
    "preemptions": (Unit.PER_S, "preemptions"),
    "replicas that answer": (Unit.REPLICAS, "up"),
}
_OF_GPUS: _Facts = {
    "SM activity": (Unit.RATIO, "sm"),
    "GPU utilisation": (Unit.RATIO, "util"),
    "power of a GPU": (Unit.WATTS, "power"),
    "clock of a GPU": (Unit.MEGAHERTZ, "clock"),
    "throttled GPUs": (Unit.COUNT, "throttled"),
    "GPUs with an XID": (Unit.COUNT, "xids"),
}


def _began(asked: Asked) -> tuple[str, dict[str, object]]:
    """Return when before ends, unix seconds, and the values that this needs."""
    if asked.about is None:
        return "intDiv({since:Int64} + {until:Int64}, 2000)", {}
    began_s, middle_s = asked.about.began_s, (asked.since_ms + asked.until_ms) // 2000
    return "{began_s:Int64}", {"began_s": middle_s if began_s is None else began_s - LEAD_S}


def _since(asked: Asked) -> tuple[str, dict[str, object]]:
    """Return which steps are shown, and the values that this needs: those before are there for burns."""
    if asked.about is None:
        return "t >= intDiv({since:Int64}, 1000)", {}
    return "t >= {first_s:Int64}", {"first_s": asked.since_ms // 1000}


def _counts(asked: Asked, pick: Pick) -> Question:
    about = asked.about or About()
    return _by_class(asked, pick) if about.counted is None else _by_objective(asked, about.counted)


def _by_objective(asked: Asked, of: CountedGroup) -> Question:
    """Return `t`, `n` and `bad` by step, from as long before as a burn looks back."""
    step_s = -(-(asked.step_s or MINUTE_S) // BUCKET_S) * BUCKET_S
    first_s = max(0, asked.since_ms // 1000 - BURN_S) // step_s * step_s
    found = series(of, first_s, -(-asked.until_ms // 1000), step_s)
    return renamed(found, ["t_unix_s AS t", "toInt64(q.eligible) AS n", "toInt64(q.eligible) - toInt64(q.good) AS bad"])


def _by_class(asked: Asked, pick: Pick) -> Question:
    """Return the same of minutes of all that the filters leave."""
    pick = replace(pick, source=Source.R_1M, exact=False)
    asked = replace(asked, step_s=-(-(asked.step_s or MINUTE_S) // MINUTE_S) * MINUTE_S)
    lead = f"{{since:Int64}} - {BURN_S * 1000}"
    counted = Select(
        columns=[*keys(asked, pick), "toInt64(sum(s.good)) AS good", "toInt64(sum(s.bad)) AS bad"],
        source=table(pick),
        where=[one.replace("{since:Int64}", lead) for one in conditions(asked, pick)],
        group_by=key_names(asked),
    )
    columns = ["toInt64(q.t_unix_s) AS t", "q.good + q.bad AS n", "q.bad AS bad"]
    return renamed(Question(sql=counted.text(), parameters=parameters(asked, pick)), columns)


def _median(name: str, side: str) -> str:
    before, after = (f"quantileExactIf(0.5)({name}, {of}) OVER ()" for of in (side, f"NOT ({side})"))
    return f"if({side}, {before}, {after}) AS {name}_median"


def _minutes(asked: Asked) -> tuple[str, dict[str, object]]:
    """Return what requests were, minute by minute, and the values that this needs."""
    wanted = {
        "ttft": "ttft_us",
        **{name: PHASES[name] for name in ("queue", "prefill", "decode", "stall")},
    }
    rows, values = scope_of(asked).rows(
        [
            f"toInt64(intDiv(toUnixTimestamp(ended_at), {MINUTE_S}) * {MINUTE_S}) AS of_t",
            "toString(outcome) AS of_outcome",
            *(f"{name} AS of_{name}" for name in ("tokens_in", "tokens_out")),
            *(f"{text} AS of_{name}" for name, text in wanted.items()),
        ]
    )
    found = Select(
        columns=[
            *("of_t AS t", "count() AS n", f"countIf({COUNTS}) AS counted", f"countIf({IS_BAD}) AS bad"),
            "countIf(of_outcome = 'client_cancelled') AS left",
            *(f"quantileExact(0.5)(of_{name}) AS {name}" for name in ("tokens_in", "tokens_out")),
            *(f"quantileExact(0.5)(of_{name}) AS {name}_us" for name in wanted),
        ],
        source=rows,
        group_by=["of_t"],
    )
    return found.text(), values


def _engines(asked: Asked) -> str:
    return Select(
        columns=[
            *("toInt64(t_unix_s) AS t", "sum(queued) AS waiting", "sum(running) AS running", "max(kv_max) AS kv_max"),
            f"{grown('preemptions_total')} AS preemptions",
            "uniqExactIf(replica, n_up > 0) AS up",
        ],
        source=engine_rates(asked),
        group_by=["t_unix_s"],
    ).text()


def _gpus(asked: Asked) -> str:
    gpu = "(gpu_uuid, mig_uuid)"
    return Select(
        columns=[
            *("toInt64(t_unix_s) AS t", "avg(sm_ratio) AS sm", "avg(gpu_util_ratio) AS util", "avg(power_w) AS power"),
            *("min(sm_mhz) AS clock", f"uniqExactIf({gpu}, is_throttled) AS throttled"),
            f"uniqExactIf({gpu}, ifNull(xid, 0) > 0) AS xids",
        ],
        source=gpu_steps(asked),
        group_by=["t_unix_s"],
    ).text()


def _told(source: str, facts: _Facts) -> str:
    """Return a row for each fact and minute."""
    listed = ", ".join(
        f"('{name}', '{unit}', CAST({text}, 'Nullable(Float64)'))" for name, (unit, text) in facts.items()
    )
    rows = Select(columns=["t", f"arrayJoin([{listed}]) AS one"], source=f"(\n{source}\n)")
    return Select(columns=["t", "one.1 AS fact", "one.2 AS of_unit", "one.3 AS value"], source=rows).text()
