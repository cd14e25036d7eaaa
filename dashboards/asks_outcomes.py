"""Knows how outcomes and lengths of requests become columns of panels; refuses to know durations.

Source: spec/ui.md 5 (ep.outcomes, ep.gave_up, ep.tokens, ep.workload, ep.replicas).
"""

from dataclasses import replace

from dashboards.asks import SHOWN_PPM, stepped
from dashboards.asks_engine import engine_steps
from dashboards.asks_engine import parameters as filters
from dashboards.asks_join import Part, joined
from dashboards.asks_latency import by_time, values
from telemetry.outcome import Phase
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
from telemetry.queries.latency import percentiles
from telemetry.queries.question import Question, Select
from telemetry.queries.traffic import outcome_shares, throughput

FINE = ("ok", "invalid_request", "context_length", "auth", "not_found", "quota_exhausted", "content_filtered")
"""Classes that are no trouble of the endpoint."""
PHASES = tuple(one.value for one in Phase)
"""How far a request had come, in order."""
EVENTS_MS_MAX = 86_400_000
"""Only raw rows know events: of a longer time they are read for the last of it."""
_FINE = ", ".join(f"'{one}'" for one in FINE)
_LEVEL = "{0:.12f}"


def classes(asked: Asked, pick: Pick) -> Question:
    """Ask how many requests ended badly, by class."""
    counts = "sumMap(map(toString(s.outcome), toUInt64(1)))" if pick.source is Source.RAW else "sumMap(s.outcomes)"
    inner = Select(
        columns=[*keys(asked, pick), f"{counts} AS m"],
        source=table(pick),
        where=conditions(asked, pick),
        group_by=key_names(asked),
    )
    found = Select(
        columns=[*key_names(asked), "word AS outcome", "counted / {seconds:Float64} AS per_s", "counted AS n"],
        source=f"(\n{inner.text()}\n)\nARRAY JOIN mapKeys(m) AS word, mapValues(m) AS counted",
        where=[f"word NOT IN ({_FINE})"],
        order_by=[*key_names(asked), "outcome"],
    )
    seconds = float(asked.step_s or 1)
    return stepped(Question(sql=found.text(), parameters=parameters(asked, pick) | {"seconds": seconds}))


def by_phase(_source: Source) -> list[str]:
    """Return the columns of requests that ended badly, by how far they had come; of raw rows."""
    bad = f"s.outcome NOT IN ({_FINE})"
    return [*(f"countIf({bad} AND s.phase = '{one}') / {{seconds:Float64}} AS {one}" for one in PHASES), "count() AS n"]


def tokens(asked: Asked, pick: Pick) -> Question:
    """Ask how many tokens were asked for and came, a second, and how many an event of a stream held."""
    out = "sum(ifNull(s.tokens_out, 0))" if pick.source is Source.RAW else "sum(s.tokens_by_event)"
    sums = {"prompt": "sum(s.tokens_in)", "cached": "sum(s.tokens_cache_read)", "output": out}
    rates = Select(
        columns=[
            *keys(asked, pick),
            *(f"ifNull({text}, 0) / {{seconds:Float64}} AS {name}" for name, text in sums.items()),
            f"{'count()' if pick.source is Source.RAW else 'sum(s.n)'} AS n",
        ],
        source=table(pick),
        where=conditions(asked, pick),
        group_by=key_names(asked),
    )
    raw = replace(pick, source=Source.RAW)
    events = Select(
        columns=[*keys(asked, raw), "sum(s.tokens_out) / sum(s.n_out_events) AS tokens_per_event"],
        source=table(raw),
        where=[
            *conditions(asked, raw),
            f"s.ended_at >= fromUnixTimestamp64Milli({{until:Int64}} - {EVENTS_MS_MAX})",
            *("s.outcome = 'ok'", "s.stream = 1", "s.n_out_events > 0", "isNotNull(s.tokens_out)"),
        ],
        group_by=key_names(asked),
    )
    seconds = {"seconds": float(asked.step_s or 1)}
    parts = [
        Part(
            question=Question(sql=rates.text(), parameters=parameters(asked, pick) | seconds),
            columns={name: name for name in (*sums, "n")},
        ),
        Part(
            question=Question(sql=events.text(), parameters=parameters(asked, raw)),
            columns={"tokens_per_event": "tokens_per_event"},
        ),
    ]
    return by_time(parts)


def left(source: Source) -> list[str]:
    """Return the columns of clients that left."""
    if source is Source.RAW:
        n, gone, censored = "count()", "countIf(outcome = 'client_cancelled')", "countIf(eligible = 'censored')"
    else:
        n, gone, censored = "sum(s.n)", "sumMap(s.outcomes)['client_cancelled']", "sum(s.censored)"
    return [f"{gone} / {n} AS gave_up", f"{censored} AS censored", f"{n} AS n"]


def mix(asked: Asked, pick: Pick) -> Question:
    """Ask for lengths of prompts and answers of successful requests."""
    levels = ", ".join(_LEVEL.format(SHOWN_PPM[name] / 1e6 - 1e-12) for name in ("p50", "p95"))
    sides = {"prompt": "s.tokens_in", "output": "s.tokens_out"}
    inner = Select(
        columns=[
            *keys(asked, pick),
            "count() AS n",
            *(f"countIf(isNotNull({column})) AS {name}_n" for name, column in sides.items()),
            *(
                f"quantilesExactIf({levels})(assumeNotNull({column}), isNotNull({column})) AS {name}"
                for name, column in sides.items()
            ),
            "countIf(s.finish_reason = 'length') / count() AS cut_ratio",
        ],
        source=table(pick),
        where=[*conditions(asked, pick), "outcome = 'ok'"],
        group_by=key_names(asked),
    )
    each = [
        f"if({name}_n = 0, NULL, toFloat64({name}[{at}])) AS {name}_{level}"
        for name in sides
        for at, level in ((1, "p50"), (2, "p95"))
    ]
    found = Select(
        columns=[*key_names(asked), "n", *(f"{name}_n" for name in sides), *each, "cut_ratio"],
        source=inner,
        order_by=key_names(asked),
    )
    return stepped(Question(sql=found.text(), parameters=parameters(asked, pick)))


def replicas(asked: Asked, pick: Pick) -> Question:
    """Ask for the numbers of each replica that answered or was scraped."""
    by = replace(asked, by=(Dim.REPLICA,), step_s=None)
    bad = "if(n_good + n_bad = 0, NULL, n_bad / (n_good + n_bad))"
    parts = [
        Part(question=outcome_shares(by, pick), columns={"n": "n", "bad_ratio": bad}),
        Part(question=throughput(by, pick), columns={"out_tokens_per_s": "tokens_per_s"}),
        Part(question=percentiles(by, pick, Metric.TTFT), columns=values("all", prefix="ttft_", only=("p95",))),
        Part(question=_last_seen(by, pick), columns={"last_seen": "last_seen"}),
        Part(
            question=_engine(by),
            columns={"running": "running", "kv_max": "kv_max", "state": "state"},
        ),
    ]
    return joined("replica", parts, ["bad_ratio DESC", "replica"])


def _last_seen(asked: Asked, pick: Pick) -> Question:
    found = Select(
        columns=["replica", "toUnixTimestamp(max(ended_at)) AS last_seen"],
        source=table(pick),
        where=conditions(asked, pick),
        group_by=["replica"],
    )
    return Question(sql=found.text(), parameters=parameters(asked, pick))


def _engine(asked: Asked) -> Question:
    minutes = replace(asked, step_s=60)
    found = Select(
        columns=[
            "toString(replica) AS replica",
            "argMax(running, t_unix_s) AS running",
            "argMax(kv_max, t_unix_s) AS kv_max",
            "if(argMax(n_up, t_unix_s) > 0, 'up', 'down') AS state",
        ],
        source=engine_steps(minutes),
        group_by=["replica"],
    )
    return Question(sql=found.text(), parameters={**filters(minutes), "step_s": 60})
