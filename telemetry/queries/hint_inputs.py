"""Knows the questions of what one instant of a scaling target is made of; refuses to put the answers together.

Each question is about all targets at once: it names their endpoints. What is late is not seen, and who asks remembers
what was decided (`telemetry.queries.hint_records`), so that nobody decides the same instant twice.

Source: spec/scaling.md 5 (inputs of a tick), 3 (age, coverage), 6.5 (14 days of shape), 6.6 (bursts).
"""

from collections.abc import Sequence

from telemetry.queries.asked import ENDED_WITHIN
from telemetry.queries.question import PAGE_S, Question, Select
from telemetry.schema.rollups import index_sql

KNOWN_S = 3_600
"""How far back replicas are known."""
EXPECTED_S = 600
"""A collector that was heard within this time is expected to be heard."""
SLOT_S = 600
"""Length of one slot of the past."""
PER_DOUBLING = 16
"""Bands of prompt lengths in each doubling; a band is 4.4 % wide."""


def engines(at_ms: int, window_ms: int, endpoints: Sequence[str]) -> Question:
    """Ask for every replica that was scraped in the last hour, as its last scrapes show it.

    Rows: `endpoint`, `replica`, `model`, `heard_unix_ms` (last scrape, answered or not), `is_up` (whether that one was
    answered), `n_up` (answered ones), `up_unix_ms` and `values` (running, queued, share of the fullest cache; each may
    be NULL) of the last answered one, `since_unix_ms` (when it began to answer), `begun_unix_s` (when its process
    began, as it tells; 0 if it does not), `config_hash` (0 if it tells none) and `sleep_state` (empty if it cannot
    sleep), `prefix_hits` and `prefix_queries` (tokens of the window; NULL if a counter fell in it or it has fewer than
    two scrapes).

    Args:
        at_ms: The instant, unix milliseconds.
        window_ms: What counters are taken over.
        endpoints: Which.
    """
    values = {**_values(at_ms, window_ms, endpoints), "known_ms": KNOWN_S * 1000}
    return Question(sql=_ENGINES, parameters=values, seconds_max=PAGE_S)


def demand(at_ms: int, window_ms: int, endpoints: Sequence[str]) -> Question:
    """Ask how many requests arrived at each collector, refused ones and those that wait included.

    Rows: `endpoint`, `model`, `collector`, `since_unix_ms` and `heard_unix_ms` (its first and last heartbeat of ten
    minutes), `arrivals_rps` (NULL with fewer than two heartbeats in the window; of a model that is new in it from
    its first heartbeat on). Collectors that were not heard for ten minutes are absent.

    Args:
        at_ms: The instant, unix milliseconds.
        window_ms: What rates are taken over.
        endpoints: Which.
    """
    values = {**_values(at_ms, window_ms, endpoints), "expected_ms": EXPECTED_S * 1000}
    return Question(sql=_DEMAND, parameters=values, seconds_max=PAGE_S)


def mix(since_ms: int, until_ms: int, endpoints: Sequence[str]) -> Question:
    """Ask what requests were like that ended in [since, until), those of the plugin in the engine aside.

    Rows: `endpoint`, `model`, `n`, `n_ok`, the sums and counts `tokens_in`, `n_in`, `tokens_out`, `n_out` (of good
    ends), the histograms `ttft_h` and `tpot_h` (of good ends) and `prompts` (prompt tokens, the upper end of a band, to
    requests).
    """
    values = {"since": since_ms, "until": until_ms, "endpoints": list(endpoints)}
    return Question(sql=_MIX, parameters=values, seconds_max=PAGE_S)


def gpus(at_ms: int, window_ms: int, endpoints: Sequence[str]) -> Question:
    """Ask how busy the GPUs of each replica were in the window.

    Rows: `endpoint`, `replica` (empty if unknown), `gpu_util_ratio` (mean; NULL if unread).
    """
    return Question(sql=_GPUS, parameters=_values(at_ms, window_ms, endpoints), seconds_max=PAGE_S)


def slots(since_ms: int, until_ms: int, endpoints: Sequence[str]) -> Question:
    """Ask for the requests of each whole slot of [since, until).

    Rows: `endpoint`, `model`, `slots` (pairs of the slot's start, unix seconds, and requests a second); a slot without
    any row is absent.
    """
    values = {"since": since_ms, "until": until_ms, "endpoints": list(endpoints), "slot": SLOT_S}
    return Question(sql=_SLOTS, parameters=values, seconds_max=PAGE_S)


def seconds(since_ms: int, until_ms: int, endpoints: Sequence[str]) -> Question:
    """Ask for the requests of each second of [since, until), by their ends.

    Rows: `endpoint`, `model`, `seconds` (pairs of unix second and requests); a second without any is absent.
    """
    values = {"since": since_ms, "until": until_ms, "endpoints": list(endpoints)}
    return Question(sql=_SECONDS, parameters=values, seconds_max=PAGE_S)


def clock() -> Question:
    """Ask what time it is by the store's own clock.

    Rows: one, `now_unix_ms`.
    """
    return Question(sql="SELECT toUnixTimestamp64Milli(now64(3)) AS now_unix_ms", seconds_max=PAGE_S)


def _values(at_ms: int, window_ms: int, endpoints: Sequence[str]) -> dict[str, object]:
    return {"at": at_ms, "window_ms": window_ms, "endpoints": list(endpoints)}


_OF = "endpoint IN {endpoints:Array(String)}"


def _before(back: str) -> list[str]:
    since = f"ts > fromUnixTimestamp64Milli({{at:Int64}} - {{{back}:Int64}})"
    return [since, "ts <= fromUnixTimestamp64Milli({at:Int64})", _OF]


_NOW = "ts > fromUnixTimestamp64Milli({at:Int64} - {window_ms:Int64})"


def _grown(name: str) -> str:
    column = f"m.{name}_total"
    known = f"countIf({_NOW} AND isNotNull({column})) < 2 OR sumIf(m.reset, {_NOW}) > 0"
    return f"if({known}, NULL, maxIf({column}, {_NOW}) - minIf({column}, {_NOW})) AS {name}"


def _ms(time: str) -> str:
    return f"toUnixTimestamp64Milli({time})"


_ENGINES = Select(
    columns=[
        *("toString(m.endpoint) AS endpoint", "toString(m.replica) AS replica"),
        "argMax(toString(m.model), ts) AS model",
        "toUnixTimestamp64Milli(max(ts)) AS heard_unix_ms",
        "argMax(m.up, ts) AS is_up",
        "countIf(m.up = 1) AS n_up",
        "toUnixTimestamp64Milli(maxIf(ts, m.up = 1)) AS up_unix_ms",
        f"greatest({_ms('minIf(ts, m.up = 1)')}, {_ms('maxIf(ts, m.up = 0)')}) AS since_unix_ms",
        # A tuple, since of a column alone argMax would pass over a NULL.
        "argMaxIf(tuple(m.running, m.queued, coalesce(m.kv_used_ratio_max, m.kv_used_ratio)), ts, m.up = 1) AS values",
        "argMaxIf(m.extra['process_start_unix_s'], ts, m.up = 1) AS begun_unix_s",
        "argMaxIf(m.config_hash, ts, m.up = 1) AS config_hash",
        "argMaxIf(toString(m.sleep_state), ts, m.up = 1) AS sleep_state",
        *map(_grown, ("prefix_hits", "prefix_queries")),
    ],
    source="inferometer.engine_metrics AS m",
    where=_before("known_ms"),
    group_by=["endpoint", "replica"],
    order_by=["endpoint", "since_unix_ms", "replica"],
).text()
_BOOTS = Select(
    columns=[
        *(f"toString(h.{name}) AS {name}" for name in ("endpoint", "model", "collector", "workload_class")),
        *("min(ts) AS began", "max(ts) AS heard"),
        f"toInt64(maxIf(h.arrivals_total, {_NOW})) - toInt64(minIf(h.arrivals_total, {_NOW})) AS arrived",
        f"toUnixTimestamp64Milli(maxIf(ts, {_NOW})) - toUnixTimestamp64Milli(minIf(ts, {_NOW})) AS span_ms",
    ],
    source="inferometer.heartbeats AS h",
    where=_before("expected_ms"),
    group_by=["endpoint", "model", "collector", "workload_class", "h.boot"],
)
# Over all boots of a sender at once: a rate of each alone would count the time of the others again.
_SENDERS = Select(
    columns=[
        *("endpoint", "model", "collector", "min(began) AS first", "max(heard) AS last", "sum(span_ms) AS length_ms"),
        "if(length_ms = 0, 0, sum(arrived) * 1000 / length_ms) AS per_s",
    ],
    source=_BOOTS,
    group_by=["endpoint", "model", "collector", "workload_class"],
)
_DEMAND = Select(
    columns=[
        *("endpoint", "model", "collector"),
        *(f"{_ms('min(first)')} AS since_unix_ms", f"{_ms('max(last)')} AS heard_unix_ms"),
        "if(max(length_ms) = 0, NULL, sum(per_s)) AS arrivals_rps",
    ],
    source=_SENDERS,
    group_by=["endpoint", "model", "collector"],
    order_by=["endpoint", "model", "collector"],
).text()
_BAND = (
    f"if(r.tokens_in = 0, 0, toUInt32(ceil(exp2(ceil(log2(assumeNotNull(r.tokens_in)) * {PER_DOUBLING})"
    f" / {PER_DOUBLING}))))"
)


def _spread(name: str) -> str:
    value = f"map({index_sql(f'assumeNotNull(r.{name}_us)')}, toUInt64(1))"
    return f"sumMapIf({value}, r.outcome = 'ok' AND isNotNull(r.{name}_us)) AS {name}_h"


_MIX = Select(
    columns=[
        *("toString(r.endpoint) AS endpoint", "toString(r.model) AS model"),
        *("count() AS n", "countIf(r.outcome = 'ok') AS n_ok"),
        *("sum(ifNull(r.tokens_in, 0)) AS tokens_in", "countIf(isNotNull(r.tokens_in)) AS n_in"),
        "sumIf(ifNull(r.tokens_out, 0), r.outcome = 'ok') AS tokens_out",
        "countIf(r.outcome = 'ok' AND isNotNull(r.tokens_out)) AS n_out",
        *map(_spread, ("ttft", "tpot")),
        f"sumMapIf(map({_BAND}, toUInt64(1)), isNotNull(r.tokens_in)) AS prompts",
    ],
    source="inferometer.requests AS r",
    where=[*ENDED_WITHIN, _OF, "r.traffic != 'engine'"],
    group_by=["endpoint", "model"],
    order_by=["endpoint", "model"],
).text()
_GPUS = Select(
    columns=[
        *("toString(g.endpoint) AS endpoint", "toString(g.replica) AS replica"),
        "avg(g.gpu_util_ratio) AS gpu_util_ratio",
    ],
    source="inferometer.gpu_samples AS g",
    where=_before("window_ms"),
    group_by=["endpoint", "replica"],
    order_by=["endpoint", "replica"],
).text()


def _within(column: str, to_ms: str) -> list[str]:
    return [
        f"{column} >= {to_ms.format(value='{since:Int64}')}",
        f"{column} < {to_ms.format(value='{until:Int64}')}",
        _OF,
        "s.traffic != 'engine'",
    ]


_AS_TIME = "toDateTime(intDiv({value}, 1000))"


def _series(table: str, start: str, value: str, named: str) -> str:
    inner = Select(
        columns=["toString(s.endpoint) AS endpoint", "toString(s.model) AS model", f"{start} AS at", f"{value} AS of"],
        source=f"inferometer.{table} AS s",
        where=_within("s.t", _AS_TIME),
        group_by=["endpoint", "model", "at"],
    )
    return Select(
        columns=["endpoint", "model", f"arraySort(groupArray((at, of))) AS {named}"],
        source=inner,
        group_by=["endpoint", "model"],
        order_by=["endpoint", "model"],
    ).text()


_SLOTS = _series(
    "r_1m",
    "toInt64(intDiv(toUnixTimestamp(s.t), {slot:UInt32}) * {slot:UInt32})",
    "sum(s.n) / {slot:UInt32}",
    "slots",
)
_SECONDS = _series("r_1s", "toInt64(toUnixTimestamp(s.t))", "sum(s.n)", "seconds")
