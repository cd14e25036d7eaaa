"""Knows the questions about what came and how it ended: outcomes, and tokens by the time they came; refuses to judge.

Source: spec/measurement.md 6 (throughput of a window), 9 (outcomes); spec/store.md 4.1 (`tokens_by_event`).
"""

from dataclasses import replace

from telemetry.queries.asked import Asked, Pick, Source, conditions, key_names, keys, parameters, provenance, table
from telemetry.queries.question import Question, Select
from telemetry.queries.report_exact import TOKEN_BINS_S_MAX


def outcome_shares(asked: Asked, pick: Pick) -> Question:
    """Ask how the requests of each group ended.

    Rows: the group, `n`, `n_good`, `n_bad`, `n_excluded`, `n_censored` (they add up to n), `n_in_stream` (faults
    inside a 200 answer), `outcomes` (class to count), `shares` (class to share of n); `table_used`, `method`.
    """
    inner = Select(
        columns=[*keys(asked, pick), *(_RAW_OUTCOMES if pick.source is Source.RAW else _ROLLED_OUTCOMES)],
        source=table(pick),
        where=conditions(asked, pick),
        group_by=key_names(asked),
        having=["n > 0"],
    )
    outer = Select(
        columns=[
            *key_names(asked),
            *("n", *_JUDGED, "n_in_stream", "outcomes"),
            "mapApply((word, count) -> (word, count / n), outcomes) AS shares",
            *provenance(replace(pick, exact=True)),
        ],
        source=inner,
        order_by=key_names(asked),
    )
    return Question(sql=outer.text(), parameters=parameters(asked, pick))


def throughput(asked: Asked, pick: Pick) -> Question:
    """Ask for requests by the time they ended and output tokens by the second in which they came.

    Rows: the group, `n`, `tokens` (output tokens that came within the step, or the window), `tokens_in`, and the rates
    `requests_per_s`, `tokens_per_s`, `tokens_in_per_s`; `table_used`, `method`. Tokens of streams that ended after the
    window count too; a total without its times counts when its request ended. No request's tokens are spread evenly.
    """
    if pick.source is not Source.RAW:
        counted = _rolled_counts(asked, pick)
    else:
        counted = _raw_counts(asked, pick) if asked.step_s is None else _raw_steps(asked, pick)
    rates = (("n", "requests_per_s"), ("tokens", "tokens_per_s"), ("tokens_in", "tokens_in_per_s"))
    outer = Select(
        columns=[
            *key_names(asked),
            *("n", "tokens", "tokens_in"),
            *(f"{count} / {{seconds:Float64}} AS {rate}" for count, rate in rates),
            *provenance(replace(pick, exact=True)),
        ],
        source=counted,
        order_by=key_names(asked),
    )
    seconds = asked.step_s or (pick.until_ms - pick.since_ms) / 1000
    values = parameters(asked, pick) | {"seconds": float(seconds)}
    if pick.source is Source.RAW:
        values["tail_ms"] = TOKEN_BINS_S_MAX * 1000
    return Question(sql=outer.text(), parameters=values)


_JUDGED = ("n_good", "n_bad", "n_excluded", "n_censored")
_RAW_OUTCOMES = [
    "count() AS n",
    *(f"countIf(eligible = '{name.removeprefix('n_')}') AS {name}" for name in _JUDGED),
    "countIf(in_stream = 1) AS n_in_stream",
    "sumMap(map(toString(outcome), toUInt64(1))) AS outcomes",
]
_ROLLED_OUTCOMES = [
    "sum(s.n) AS n",
    *(f"sum(s.{name.removeprefix('n_')}) AS {name}" for name in _JUDGED),
    "sum(s.in_stream) AS n_in_stream",
    "sumMap(s.outcomes) AS outcomes",
]
_BINNED = "notEmpty(tok_by_s) AND isNotNull(ttft_us)"
_TOKENS_AT_END = f"if({_BINNED}, 0, ifNull(tokens_out, 0))"
_FIRST_S = "toUnixTimestamp(addMicroseconds(ended_at, toInt64(assumeNotNull(ttft_us)) - toInt64(elapsed_us)))"

_AT_END = f"toUnixTimestamp64Milli(ended_at), toUInt64(1), toUInt64({_TOKENS_AT_END}), toUInt64(ifNull(s.tokens_in, 0))"
_AT_SECOND = f"toInt64({_FIRST_S} + second) * 1000, toUInt64(0), toUInt64(tokens), toUInt64(0)"
_ENDED = "toUnixTimestamp64Milli(ended_at) < {until:Int64}"
"""That a request ended in the window, of one that ended in it or later."""
_FIRST, _PAST = (f"intDiv({{{end}:Int64}} + 999, 1000) - toInt64({_FIRST_S})" for end in ("since", "until"))
_CAME = (
    f"arraySum(arraySlice(tok_by_s, greatest(0, {_FIRST}) + 1,"
    f" greatest(0, least(toInt64(length(tok_by_s)), {_PAST}) - greatest(0, {_FIRST}))))"
)
"""Tokens whose second begins in the window: part of an array, which costs less than a row for each second."""
_BINS = "tok_by_s, range(length(tok_by_s))"


def _rolled_counts(asked: Asked, pick: Pick) -> Select:
    return Select(
        columns=[
            *keys(asked, pick),
            "sum(s.n) AS n",
            "sum(s.tokens_by_event) AS tokens",
            "sum(s.tokens_in) AS tokens_in",
        ],
        source=table(pick),
        where=conditions(asked, pick),
        group_by=key_names(asked),
        having=["n > 0 OR tokens > 0"],
    )


def _raw_counts(asked: Asked, pick: Pick) -> Select:
    """Add up requests at their end, and of each one's tokens those whose second lies in the window."""
    counted = Select(
        columns=[
            *keys(asked, pick),
            f"countIf({_ENDED}) AS n",
            f"sumIf(toUInt64({_TOKENS_AT_END}), {_ENDED}) + sum(if({_BINNED}, {_CAME}, 0)) AS tokens",
            # Not named like the column: a key may be made of that.
            f"sumIf(toUInt64(ifNull(s.tokens_in, 0)), {_ENDED}) AS tokens_asked",
        ],
        source=table(pick),
        where=_with_tail(asked, pick),
        group_by=key_names(asked),
        having=["n > 0 OR tokens > 0"],
    )
    return Select(columns=[*key_names(asked), *("n", "tokens", "tokens_asked AS tokens_in")], source=counted)


def _with_tail(asked: Asked, pick: Pick) -> list[str]:
    """Return which rows belong to the question, those among them that ended later and whose tokens came within."""
    return [one.replace("{until:Int64}", "{until:Int64} + {tail_ms:Int64}") for one in conditions(asked, pick)]


def _raw_steps(asked: Asked, pick: Pick) -> Select:
    """Add up one entry per request, at its end, and one per second of its tokens, at that second."""
    inside = "at_ms >= {since:Int64} AND at_ms < {until:Int64}"
    dims = [column for column in keys(asked, pick) if not column.endswith(" AS t_unix_s")]
    entries = Select(
        columns=[
            *dims,
            f"({_AT_END}) AS at_end",
            f"if({_BINNED}, arrayMap((tokens, second) -> ({_AT_SECOND}), {_BINS}), []) AS by_second",
            "arrayJoin(arrayConcat([at_end], by_second)) AS entry",
            "entry.1 AS at_ms",
        ],
        source=table(pick),
        where=_with_tail(asked, pick),
    )
    return Select(
        columns=[
            "intDiv(at_ms, 1000 * {step_s:UInt32}) * {step_s:UInt32} AS t_unix_s",
            *(dim.value for dim in asked.by),
            "sum(entry.2) AS n",
            "sum(entry.3) AS tokens",
            "sum(entry.4) AS tokens_in",
        ],
        source=entries,
        where=[inside],
        group_by=key_names(asked),
        having=["n > 0 OR tokens > 0"],
    )
