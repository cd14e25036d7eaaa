"""Knows how to count good and bad requests of many objectives in one question; refuses to know targets and budgets.

Each row is joined to the objectives that select it, whose limits then stand beside it as columns; nothing of an
objective is text of the statement. A request is judged per limit and then as a whole: bad if any part is bad, good if
every part is good, else excluded (a client that left before anything was violated). Limits are inclusive.

| | TTFT | E2E | TPOT, gap | complete |
|---|---|---|---|---|
| ok | observed; unknown is bad | observed; unknown is bad | observed; unknown is good | good |
| bad, no output | bad | bad | excluded | bad |
| bad, after output | observed | bad | observed; TPOT from 16 tokens on | bad |
| client left, no output | bad if it waited longer, else excluded | the same | excluded | excluded |
| client left, after output | observed | bad if longer, else excluded | TPOT as above; gap bad or excluded | excluded |
| excluded class | excluded | excluded | excluded | excluded |

Source: spec/measurement.md 10; spec/slo.md 3 (eligible, censored), 1 (NULL, `n_null`); spec/store.md 4.5 (columns).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from telemetry.outcome import Outcome
from telemetry.queries.asked import EXPRESSIONS, Dim
from telemetry.queries.question import LIVE_S, Question, Select

OBJECTIVES_MAX = 1_000
"""Objectives of one question."""
BUCKET_S = 30
"""Length of a bucket of counts (spec/store.md 4.5)."""
TPOT_TOKENS_MIN = 16
"""Output tokens from which on the time per token of an unfinished request says something."""
SELECTED_BY = (Dim.ENDPOINT, Dim.MODEL, Dim.REGION, Dim.WORKLOAD_CLASS, Dim.VARIANT, Dim.REPLICA)
"""Dimensions that an objective may select and group by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an objective asks of a request; None asks nothing.

    Attributes:
        name: The objective.
        where: Values that a dimension of `SELECTED_BY` may have.
        traffic: `user`, `probe` or `loadtest`; never mixed.
        group_by: Dimensions of which each value is counted by itself.
        ttft_us: Longest time to the first output.
        ttft_us_per_token: Added to `ttft_us` for each prompt token.
        e2e_us: Longest time to the end.
        tpot_us: Longest time per output token.
        gap_us: Longest wait between two outputs.
        complete: Whether the answer must have come to its end.
        also_bad: Outcomes that are bad for this objective, whatever they are by default.
        also_excluded: Outcomes that do not count for it.
    """

    name: str
    where: Mapping[Dim, tuple[str, ...]] = field(default_factory=dict[Dim, tuple[str, ...]])
    traffic: str = "user"
    group_by: tuple[Dim, ...] = ()
    ttft_us: int | None = None
    ttft_us_per_token: float = 0.0
    e2e_us: int | None = None
    tpot_us: int | None = None
    gap_us: int | None = None
    complete: bool = False
    also_bad: tuple[Outcome, ...] = ()
    also_excluded: tuple[Outcome, ...] = ()


def objective_counts(objectives: Sequence[Limits], since_ms: int, until_ms: int) -> Question:
    """Ask for the counts of the buckets [since, until) of all objectives, in the order of `slo_minutes`' key.

    Rows: `slo`, `group_key` (JSON object of the values that the objective is grouped by), `t_unix_s` (start of the
    bucket), `eligible` (good + bad), `good`, `bad` (outcome to count), `censored_bad` (bad ones whose end was not
    seen), `excluded` (outcome to count), `n_null` (column to requests whose value was needed and unknown). Buckets and
    groups without a row are absent.

    Args:
        objectives: At most `OBJECTIVES_MAX`, names different.
        since_ms: Start of the first bucket, unix milliseconds.
        until_ms: End of the last one, excluded.

    Raises:
        ValueError: The window is not made of whole buckets, or there are no or too many objectives.
    """
    if not 0 < len(objectives) <= OBJECTIVES_MAX:
        raise ValueError(f"{len(objectives)} objectives; allowed are 1 to {OBJECTIVES_MAX}")
    if since_ms >= until_ms or since_ms % (BUCKET_S * 1000) or until_ms % (BUCKET_S * 1000):
        raise ValueError(f"a window from {since_ms} to {until_ms} is not made of buckets of {BUCKET_S} s")
    values: dict[str, object] = {"since": since_ms, "until": until_ms, "outcomes": _OUTCOMES}
    values |= {name: [getattr(one, name) for one in objectives] for name in _PLAIN}
    values |= {name: [_mask(getattr(one, name)) for one in objectives] for name in ("also_bad", "also_excluded")}
    values["slo"] = [one.name for one in objectives]
    values["complete"] = [int(one.complete) for one in objectives]
    values["group_by"] = [[dim.value for dim in one.group_by] for one in objectives]
    values |= {f"of_{dim.value}": [list(one.where.get(dim, ())) for one in objectives] for dim in SELECTED_BY}
    return Question(sql=_COUNTS, parameters=values, seconds_max=LIVE_S)


def _mask(outcomes: Sequence[Outcome]) -> int:
    """Return outcomes as bits: numbers travel through the join at a fraction of the cost of texts."""
    return sum(1 << _OUTCOMES.index(outcome.value) for outcome in set(outcomes))


_OUTCOMES = [outcome.value for outcome in Outcome]
_PLAIN = ("traffic", "ttft_us", "ttft_us_per_token", "e2e_us", "tpot_us", "gap_us")
_WINDOW = (
    "ended_at >= fromUnixTimestamp64Milli({since:Int64})",
    "ended_at < fromUnixTimestamp64Milli({until:Int64})",
)
_SELECTED = [
    f"(empty({{of_{dim.value}:Array(Array(String))}}[i])"
    f" OR has({{of_{dim.value}:Array(Array(String))}}[i], toString({EXPRESSIONS[dim]})))"
    for dim in SELECTED_BY
]
_VALUES = ", ".join(f"'{dim.value}', toString({EXPRESSIONS[dim]})" for dim in SELECTED_BY)
_GROUPED = "has({group_by:Array(Array(String))}[i], k)"
_SERIES = Select(
    columns=["traffic", *(dim.value for dim in SELECTED_BY)],
    source="inferometer.requests",
    where=_WINDOW,
    group_by=["traffic", *(dim.value for dim in SELECTED_BY)],
)
_CHOSEN = Select(
    columns=[
        "traffic",
        *(dim.value for dim in SELECTED_BY),
        "arrayJoin(arrayEnumerate({slo:Array(String)})) AS i",
    ],
    source=_SERIES,
)
_LIMITS = Select(
    columns=[
        "traffic",
        *(dim.value for dim in SELECTED_BY),
        # Texts that stand beside every row are kept as numbers of a dictionary.
        "toLowCardinality({slo:Array(String)}[i]) AS slo",
        f"toLowCardinality(toJSONString(mapFilter((k, v) -> {_GROUPED}, map({_VALUES})))) AS group_key",
        *(f"{{{name}_us:Array(Nullable(UInt64))}}[i] AS {name}_limit_us" for name in ("ttft", "e2e", "tpot", "gap")),
        "{ttft_us_per_token:Array(Float64)}[i] AS per_token_us",
        "{complete:Array(UInt8)}[i] AS must_complete",
        "{also_bad:Array(UInt32)}[i] AS also_bad",
        "{also_excluded:Array(UInt32)}[i] AS also_excluded",
    ],
    source=_CHOSEN,
    where=["traffic = {traffic:Array(String)}[i]", *_SELECTED],
)
_GOOD, _BAD, _EXCLUDED, _CENSORED = 1, 2, 3, 4
"""Numbers of the column `eligible`; a part and a verdict are good, bad or excluded too, 0 if there is no limit."""
_OWN_CLASS = f"bitTest(also_bad, place), {_BAD}, bitTest(also_excluded, place), {_EXCLUDED}"
_ROWS = Select(
    columns=[
        "*",
        "transform(toString(outcome), {outcomes:Array(String)}, range(length({outcomes:Array(String)})), 31) AS place",
        f"multiIf({_OWN_CLASS}, toUInt8(eligible)) AS class",
        "phase IN ('streaming', 'done') AS had_output",
        "ttft_limit_us + per_token_us * ifNull(tokens_in, 0) AS ttft_max_us",
        "nullIf(greatest(ifNull(icl_max_us, 0), ifNull(open_gap_us, 0)), 0) AS widest_us",
        f"if(ifNull(tokens_out, 0) >= {TPOT_TOKENS_MIN}, tpot_us, NULL) AS settled_tpot_us",
    ],
    source=f"inferometer.requests AS r\nINNER JOIN (\n{_LIMITS.text()}\n) AS l USING (traffic, "
    + ", ".join(dim.value for dim in SELECTED_BY)
    + ")",
    where=_WINDOW,
)


def _judged(value: str, limit: str, unknown: int) -> str:
    return f"multiIf(isNull({value}), {unknown}, {value} <= {limit}, {_GOOD}, {_BAD})"


def _longer(value: str, limit: str) -> str:
    return f"if({value} > {limit}, {_BAD}, {_EXCLUDED})"


_IS_GOOD, _IS_BAD, _LEFT = (f"class = {number}" for number in (_GOOD, _BAD, _CENSORED))
_PARTS: dict[str, tuple[tuple[str, str], ...]] = {
    "ttft": (
        ("isNull(ttft_limit_us)", "0"),
        (_IS_GOOD, _judged("ttft_us", "ttft_max_us", _BAD)),
        (_IS_BAD, f"if(had_output, {_judged('ttft_us', 'ttft_max_us', _BAD)}, {_BAD})"),
        (f"{_LEFT} AND had_output", _judged("ttft_us", "ttft_max_us", _EXCLUDED)),
        (_LEFT, _longer("elapsed_us", "ttft_max_us")),
    ),
    "e2e": (
        ("isNull(e2e_limit_us)", "0"),
        (_IS_GOOD, _judged("e2e_us", "e2e_limit_us", _BAD)),
        (_IS_BAD, str(_BAD)),
        (_LEFT, _longer("elapsed_us", "e2e_limit_us")),
    ),
    "tpot": (
        ("isNull(tpot_limit_us)", "0"),
        (_IS_GOOD, _judged("tpot_us", "tpot_limit_us", _GOOD)),
        (f"({_IS_BAD} OR {_LEFT}) AND had_output", _judged("settled_tpot_us", "tpot_limit_us", _EXCLUDED)),
    ),
    "gap": (
        ("isNull(gap_limit_us)", "0"),
        (_IS_GOOD, _judged("widest_us", "gap_limit_us", _GOOD)),
        (f"{_IS_BAD} AND had_output", _judged("widest_us", "gap_limit_us", _EXCLUDED)),
        (f"{_LEFT} AND had_output", _longer("ifNull(widest_us, 0)", "gap_limit_us")),
    ),
    "complete": (("must_complete = 0", "0"), (_IS_GOOD, str(_GOOD)), (_IS_BAD, str(_BAD))),
}
"""The table above, limit by limit: the first case that holds; none means excluded."""


def _part(name: str) -> str:
    cases = ", ".join(f"{condition}, {verdict}" for condition, verdict in _PARTS[name])
    return f"toUInt8(ifNull(multiIf({cases}, {_EXCLUDED}), {_EXCLUDED})) AS {name}_part"


def _any_part(verdict: int) -> str:
    return " OR ".join(f"{name}_part = {verdict}" for name in _PARTS)


_UNKNOWN = {
    "ttft_us": f"{_IS_GOOD} AND isNotNull(ttft_limit_us) AND isNull(ttft_us)",
    "e2e_us": f"{_IS_GOOD} AND isNotNull(e2e_limit_us) AND isNull(e2e_us)",
    "tpot_us": f"{_IS_GOOD} AND isNotNull(tpot_limit_us) AND isNull(tpot_us)",
    "icl_max_us": f"{_IS_GOOD} AND isNotNull(gap_limit_us) AND isNull(widest_us)",
    "tokens_in": f"class != {_EXCLUDED} AND per_token_us > 0 AND isNull(tokens_in)",
}
_JUDGED = Select(
    columns=[
        *("slo", "group_key", "outcome", "class"),
        f"intDiv(toUnixTimestamp(ended_at), {BUCKET_S}) * {BUCKET_S} AS t_unix_s",
        *map(_part, _PARTS),
        *(f"{condition} AS {name}_unknown" for name, condition in _UNKNOWN.items()),
    ],
    source=_ROWS,
)
_VERDICT = (
    f"multiIf(class = {_EXCLUDED}, {_EXCLUDED}, {_any_part(_BAD)}, {_BAD}, {_any_part(_EXCLUDED)}, {_EXCLUDED},"
    # Without a single limit the class itself is the verdict.
    f" {_any_part(_GOOD)} OR class = {_GOOD}, {_GOOD}, class = {_BAD}, {_BAD}, {_EXCLUDED})"
)
_VERDICTS = Select(
    columns=[
        *("slo", "group_key", "outcome", "class", "t_unix_s"),
        f"{_VERDICT} AS verdict",
        "count() AS rows",
        *(f"sum(j.{name}_unknown) AS {name}_unknown" for name in _UNKNOWN),
    ],
    source=f"(\n{_JUDGED.text()}\n) AS j",
    group_by=["slo", "group_key", "outcome", "class", "t_unix_s", "verdict"],
)
_UNKNOWN_MAP = ", ".join(f"'{name}', toUInt64(sum({name}_unknown))" for name in _UNKNOWN)
_COUNTS = Select(
    columns=[
        "toString(slo) AS slo",
        "toString(group_key) AS group_key",
        "t_unix_s",
        f"sumIf(rows, verdict != {_EXCLUDED}) AS eligible",
        f"sumIf(rows, verdict = {_GOOD}) AS good",
        f"sumMapIf(map(toString(outcome), rows), verdict = {_BAD}) AS bad",
        f"sumIf(rows, verdict = {_BAD} AND class = {_CENSORED}) AS censored_bad",
        f"sumMapIf(map(toString(outcome), rows), verdict = {_EXCLUDED}) AS excluded",
        f"mapFilter((name, count) -> count > 0, map({_UNKNOWN_MAP})) AS n_null",
    ],
    source=_VERDICTS,
    group_by=["slo", "group_key", "t_unix_s"],
    order_by=["slo", "group_key", "t_unix_s"],
).text()
