"""Knows the questions about what stood around a window of requests: GPUs, engines, and what changed; refuses to link.

An endpoint is asked for with what belongs to it and with what names no endpoint, since that may be its own; without any
endpoint everything is meant. Engine and GPU rows are read raw: the window is minutes.

Source: spec/slo.md 12 (`gpu`, `engine`, `changes`); spec/store.md 3 (tables).
"""

from collections.abc import Sequence

from telemetry.queries.question import LIVE_S, Question, Select
from telemetry.queries.standing import STANDING_MARKERS

ROWS_MAX = 50
"""Rows of one answer."""
DAY_MS = 86_400_000
SEEN_BEFORE_MS = 600_000
"""A replica that was not heard for so long before a window is new in it."""
GONE_MS = 120_000
"""A replica that was not heard for so long at the end of a window is gone."""


def gpus(endpoints: Sequence[str], since_ms: int, until_ms: int) -> Question:
    """Ask what the GPUs did, the most throttled first.

    Rows: `endpoint`, `replica`, `node`, `gpu_index`, `gpu_uuid`, `mig_uuid`, `n` (samples), `util_ratio` and `sm_ratio`
    (means), `sm_mhz_min`, `sm_max_mhz`, `temp_c_max`, `xid` (last one known), `throttled_ratio` (share of the samples
    whose bits say so, of those with bits), `throttle_bits` (all of them together); NULL is unread.

    Args:
        endpoints: Names; none means all.
        since_ms: Start of the window, unix milliseconds, included.
        until_ms: End, excluded.
    """
    return Question(sql=_GPUS, parameters=_values(endpoints, since_ms, until_ms), seconds_max=LIVE_S)


def engines(endpoints: Sequence[str], since_ms: int, until_ms: int) -> Question:
    """Ask what the engines did, the longest queue first.

    Rows: `endpoint`, `replica`, `n` (scrapes), `n_up` (those answered), `running_max`, `queued_max`,
    `kv_used_ratio_max`, `preemptions` and `rejections` (of the window; NULL if unknown or a counter fell).

    Args:
        endpoints: Names; none means all.
        since_ms: Start of the window, unix milliseconds, included.
        until_ms: End, excluded.
    """
    return Question(sql=_ENGINES, parameters=_values(endpoints, since_ms, until_ms), seconds_max=LIVE_S)


def marked(endpoints: Sequence[str], since_ms: int, until_ms: int) -> Question:
    """Ask what somebody said has happened, and which prices began to hold, newest first.

    Rows: `at_unix_ms`, `kind`, `endpoint`, `service`, `version`, `actor`, `automated`, `text`.
    """
    return Question(sql=_MARKERS, parameters=_values(endpoints, since_ms, until_ms), seconds_max=LIVE_S)


def engine_changes(endpoints: Sequence[str], since_ms: int, until_ms: int) -> Question:
    """Ask which engine reports another configuration, model, kind or sleep than at the scrape before, newest first.

    Rows: `at_unix_ms`, `endpoint`, `replica`, `what` (`config_hash`, `model`, `engine`, `sleep_state`), `was`,
    `became`.
    """
    return Question(sql=_ENGINE_CHANGES, parameters=_values(endpoints, since_ms, until_ms), seconds_max=LIVE_S)


def replica_changes(endpoints: Sequence[str], since_ms: int, until_ms: int) -> Question:
    """Ask which replicas came or went, newest first; nothing if the endpoint was not heard before, or is not any more.

    Rows: `at_unix_ms` (first or last answer), `endpoint`, `replica`, `what` (`came`, `gone`).
    """
    values = _values(endpoints, since_ms, until_ms) | {"before_ms": SEEN_BEFORE_MS, "gone_ms": GONE_MS}
    return Question(sql=_REPLICA_CHANGES, parameters=values, seconds_max=LIVE_S)


def newcomers(endpoints: Sequence[str], since_ms: int, until_ms: int) -> Question:
    """Ask which models, variants and regions users' requests name for the first time in a day, newest first.

    Rows: `at_unix_ms` (start of the first minute), `endpoint`, `what` (`model`, `variant`, `region`), `became`,
    `n` (requests since); nothing for an endpoint that the day before does not know at all.
    """
    values = _values(endpoints, since_ms, until_ms) | {"day_ms": DAY_MS}
    return Question(sql=_NEWCOMERS, parameters=values, seconds_max=LIVE_S)


def _values(endpoints: Sequence[str], since_ms: int, until_ms: int) -> dict[str, object]:
    return {"endpoints": [*endpoints], "since": since_ms, "until": until_ms}


def _ours(endpoint: str = "endpoint") -> str:
    wanted = "{endpoints:Array(String)}"
    return f"(empty({wanted}) OR {endpoint} IN {wanted} OR {endpoint} = '')"


_LIMIT = f"LIMIT {ROWS_MAX}"


def _within(column: str, since: str = "{since:Int64}") -> list[str]:
    return [
        f"{column} >= fromUnixTimestamp64Milli({since})",
        f"{column} < fromUnixTimestamp64Milli({{until:Int64}})",
    ]


THROTTLE_BITS = 0xEC
"""Bits that say a clock was held: software power cap, hardware slowdown, software and hardware heat, power brake."""


def _mean(ratio: str, named: str) -> str:
    # Over millionths as integers: a sum of floats depends on the order in which threads add them up.
    return f"avg(toInt64(round(g.{ratio} * 1000000))) / 1000000 AS {named}"


_GPUS = Select(
    columns=[
        *("endpoint", "replica", "node", "gpu_index", "gpu_uuid", "mig_uuid"),
        "count() AS n",
        _mean("gpu_util_ratio", "util_ratio"),
        _mean("sm_ratio", "sm_ratio"),
        "min(g.sm_mhz) AS sm_mhz_min",
        "max(g.sm_max_mhz) AS sm_max_mhz",
        "max(g.temp_c) AS temp_c_max",
        "argMax(g.xid, g.ts) AS xid",
        f"avg(bitAnd(g.throttle_bits, {THROTTLE_BITS}) > 0) AS throttled_ratio",
        "groupBitOr(g.throttle_bits) AS throttle_bits",
    ],
    source="inferometer.gpu_samples AS g",
    where=[*_within("ts"), _ours()],
    group_by=["endpoint", "replica", "node", "gpu_index", "gpu_uuid", "mig_uuid"],
    order_by=["throttled_ratio DESC NULLS LAST", "node", "gpu_index", "gpu_uuid", "mig_uuid", "endpoint", "replica"],
    tail=_LIMIT,
).text()


def _grown(counter: str) -> str:
    grown = f"max(e.{counter}_total) - min(e.{counter}_total)"
    return f"if(max(e.reset) = 0, {grown}, NULL) AS {counter}"


_ENGINES = Select(
    columns=[
        *("endpoint", "replica"),
        "count() AS n",
        "countIf(e.up = 1) AS n_up",
        "max(e.running) AS running_max",
        "max(e.queued) AS queued_max",
        "max(coalesce(e.kv_used_ratio_max, e.kv_used_ratio)) AS kv_used_ratio_max",
        _grown("preemptions"),
        _grown("rejections"),
    ],
    source="inferometer.engine_metrics AS e",
    where=[*_within("ts"), _ours()],
    group_by=["endpoint", "replica"],
    order_by=["queued_max DESC NULLS LAST", "endpoint", "replica"],
    tail=_LIMIT,
).text()

_TOLD = Select(
    columns=[
        "toUnixTimestamp64Milli(at) AS at_unix_ms",
        *(f"toString({name}) AS {name}" for name in ("kind", "endpoint", "service", "version", "actor")),
        "automated",
        "text",
    ],
    source=STANDING_MARKERS,
    where=[*_within("at"), _ours()],
)
_PRICED = Select(
    columns=[
        "toUnixTimestamp64Milli(valid_from) AS at_unix_ms",
        "'price' AS kind",
        "'' AS endpoint",
        "toString(provider) AS service",
        "toString(model) AS version",
        "'' AS actor",
        "toUInt8(1) AS automated",
        "source AS text",
    ],
    source="inferometer.prices",
    where=_within("valid_from"),
)
_MARKER_NAMES = ("at_unix_ms", "kind", "endpoint", "service", "version", "actor", "automated", "text")
_MARKERS = Select(
    columns=_MARKER_NAMES,
    source=f"(\n{_TOLD.text()}\nUNION ALL\n{_PRICED.text()}\n)",
    order_by=["at_unix_ms DESC", *_MARKER_NAMES[1:]],
    tail=_LIMIT,
).text()

_CHANGING = ("config_hash", "model", "engine", "sleep_state")
_ENGINE_CHANGES = Select(
    columns=["toUnixTimestamp64Milli(ts) AS at_unix_ms", "endpoint", "replica", "what", "was", "became"],
    source=Select(
        columns=[
            *("ts", "endpoint", "replica", "one.1 AS what", "one.2 AS became"),
            "lagInFrame(one.2) OVER (PARTITION BY endpoint, replica, one.1 ORDER BY ts) AS was",
        ],
        source=Select(
            columns=[
                *("ts", "toString(endpoint) AS endpoint", "toString(replica) AS replica"),
                "arrayJoin([" + ", ".join(f"('{name}', toString(e.{name}))" for name in _CHANGING) + "]) AS one",
            ],
            source="inferometer.engine_metrics AS e",
            where=[*_within("ts"), _ours("e.endpoint"), "up = 1"],
        ),
        where=["one.2 NOT IN ('', '0')"],
    ),
    where=["was != ''", "was != became"],
    order_by=["at_unix_ms DESC", "endpoint", "replica", "what"],
    tail=_LIMIT,
).text()

_START = "fromUnixTimestamp64Milli({since:Int64})"
_NEW = f"first >= {_START} AND first_of_all < {_START}"
_REPLICA_CHANGES = Select(
    columns=[
        "toUnixTimestamp64Milli(if(has_come, first, last)) AS at_unix_ms",
        *("endpoint", "replica", "if(has_come, 'came', 'gone') AS what"),
    ],
    source=Select(
        columns=[
            "*",
            f"{_NEW} AS has_come",
            "last < fromUnixTimestamp64Milli({until:Int64} - {gone_ms:Int64}) AND last_of_all > last AS has_gone",
        ],
        source=Select(
            columns=[
                *("endpoint", "replica", "min(ts) AS first", "max(ts) AS last"),
                "min(first) OVER (PARTITION BY endpoint) AS first_of_all",
                "max(last) OVER (PARTITION BY endpoint) AS last_of_all",
            ],
            source="inferometer.engine_metrics",
            where=[*_within("ts", "{since:Int64} - {before_ms:Int64}"), _ours(), "up = 1"],
            group_by=["endpoint", "replica"],
        ),
    ),
    where=["has_come OR has_gone"],
    order_by=["at_unix_ms DESC", "endpoint", "replica"],
    tail=_LIMIT,
).text()

_NAMED = ("model", "variant", "region")
_NEWCOMERS = Select(
    columns=["toInt64(toUnixTimestamp(first)) * 1000 AS at_unix_ms", "endpoint", "what", "became", "n"],
    source=Select(
        columns=["*", "min(first) OVER (PARTITION BY endpoint, what) AS first_of_all"],
        source=Select(
            columns=["endpoint", "one.1 AS what", "one.2 AS became", "min(t) AS first", "sum(requests) AS n"],
            source=Select(
                columns=[
                    *("toString(endpoint) AS endpoint", "t", "s.n AS requests"),
                    "arrayJoin([" + ", ".join(f"('{name}', toString(s.{name}))" for name in _NAMED) + "]) AS one",
                ],
                source="inferometer.r_1m AS s",
                where=[
                    *_within("t", "{since:Int64} - {day_ms:Int64}"),
                    "s.n > 0",
                    "traffic = 'user'",
                    _ours("s.endpoint"),
                ],
            ),
            group_by=["endpoint", "what", "became"],
        ),
    ),
    where=[_NEW, "became != ''"],
    order_by=["at_unix_ms DESC", "endpoint", "what", "became"],
    tail=_LIMIT,
).text()
