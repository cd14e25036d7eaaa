"""Knows how one load test stands against another, metric by metric; refuses to say whether to ship: `load gate` does.

Which two: the runs that are named, the first one before the second; of one that is named, or of none, the one before
it of the same target, mix and rate. Durations are of the requests that were due in the measured part, failures being
infinite, so the store must still have those.

    interval   Requests of the same ten seconds share a queue, so whole blocks are counted: the share of values at or
               below a quantile has the variance of a ratio of sums over blocks, and the quantile lies between those of
               that share less and plus t standard errors. Two such intervals make that of the ratio, on the logarithm
               (MOVER). Shares of good requests have Wilson's interval in place of it.
    effect     share of pairs of a request of each in which the one of b took longer; a half if nothing differs
    p          of Mann and Whitney; it takes requests for independent, and so is too small where they share a queue

Error: with identical runs the interval leaves out 1 in about 5 % of comparisons: in 4 to 6 % of 150 pairs each, p50 and
p95, of 12 and of 30 blocks whose medians varied by 15 %. That is of one line of several, and a run says nothing of how
runs differ anyway. Below ten blocks, or the least n of the percentile, there is no verdict but "n too small"; "no
values" says that no request has one, or that they are no longer kept.

Source: spec/ui.md 5 (lt.compare); spec/loadtest.md 13; R. S. Woodruff, Confidence intervals for medians, 1952;
G. Zou, A. Donner, Construction of confidence limits about effect measures, 2008 (MOVER); Abramowitz, Stegun 26.7.5 (t).
"""

from collections.abc import Mapping

from dashboards.asks_curve import Z_95, aside, of_runs, planned, population, values, wilson
from telemetry.percentile import P50, P95, P99, n_min
from telemetry.queries.asked import Asked, Pick
from telemetry.queries.question import Question, Select

BLOCK_S = 10
"""Length of a block, as in `loadtest.compare`."""
BLOCKS_LEAST = 10
"""Blocks that each run must have, as in `inferometer.load_gate`."""
DURATIONS = {"ttft": (P50, P95, P99), "tpot": (P50, P95), "e2e": (P50, P95)}
"""Metrics, and the percentiles that are compared."""
_RUNS_LOOKED = 1_000
"""Runs among which the one before is looked for, the newest ones."""
_SLACK_S = 60
"""Beyond the ends of runs, how far their requests are looked for: clocks differ (`inferometer.load_stored`)."""


def compared(asked: Asked, _pick: Pick) -> Question:
    """Ask by how much each metric of the second run is that of the first."""
    return Question(sql=_COMPARED, parameters=values(asked))


def _verdict(words: Mapping[str, str]) -> str:
    """Return the column of verdicts: the word of the first condition that holds."""
    told = ", ".join(f"{condition}, '{word}'" for condition, word in words.items())
    return f"multiIf(isNull(run_a), NULL, is_silent, 'unfit', {told}, 'inconclusive') AS verdict"


def _ratio_ends(of: str) -> tuple[str, str]:
    """Return the columns of the interval of b over a, of intervals `<of>_low` to `<of>_high` of each."""
    below = f"log({of}_b / {of}_low_b), log({of}_high_a / {of}_a)"
    above = f"log({of}_high_b / {of}_b), log({of}_a / {of}_low_a)"
    ends = {"low": f"exp(-hypot({below}))", "high": f"exp(hypot({above}))"}
    low, high = (f"if(isNull(ratio), NULL, ratio * {end}) AS ratio_{name}" for name, end in ends.items())
    return low, high


_ARM = {"a": "NOT is_b", "b": "is_b"}
_NEWEST = Select(
    columns=["s.run_id AS run_id", f"any(tuple(toString(s.target), toString(s.mix_id), {planned('s')})) AS alike"],
    source="inferometer.load_runs AS s",
    where=of_runs(),
    group_by=["s.run_id"],
    order_by=["min(s.started_at) DESC", "run_id"],
    tail=f"LIMIT {_RUNS_LOOKED}",
)
_PAIR = Select(
    given=[
        "{only_run_id:Array(String)} AS named",
        "if(empty(named), ids[1], named[-1]) AS second",
        "indexOf(ids, second) AS place",
        "arrayFirstIndex((one, at) -> at > place AND one = likes[place], likes, arrayEnumerate(likes)) AS before",
    ],
    columns=["(if(length(named) > 1, named[1], if(place = 0, '', ids[before])), second) AS both"],
    source=Select(columns=["groupArray(run_id) AS ids", "groupArray(alike) AS likes"], source=_NEWEST),
)
# The store finds a value that stands before everything once; a statement within would be read again at each place.
_A, _B = "pair.1", "pair.2"
_ARMS = Select(
    columns=[
        *("s.run_id AS run_id", f"s.run_id = {_B} AS is_b", "any(toString(s.target)) AS of_target"),
        *(f"any(toString(s.{name})) AS {name}" for name in ("fit", "seed", "plan_sha256")),
        "any(JSONExtractKeysAndValuesRaw(s.key_json)) AS parts",
        "any(JSONExtract(s.report_json, 'throughput', 'tokens_out_per_s', 'Nullable(Float64)')) AS tokens",
        *("min(s.started_at) AS began", "max(s.ended_at) AS ended"),
    ],
    source="inferometer.load_runs AS s",
    where=[f"s.run_id IN ({_A}, {_B})"],
    group_by=["s.run_id"],
)
_MEASURED = Select(
    columns=["run_id", "min(began) AS since", "max(ended) AS until", "sum(offered) AS due", "sum(good) AS kept"],
    source=Select(
        columns=["s.run_id AS run_id", "s.started_at AS began", "s.ended_at AS ended", "s.offered", "s.good"],
        source="inferometer.load_steps AS s",
        where=[f"s.run_id IN ({_A}, {_B})", "s.kind = 'measured'"],
        tail="LIMIT 1 BY s.run_id, s.step",
    ),
    group_by=["run_id"],
)
_SLACK = f"INTERVAL {_SLACK_S} SECOND"
_REACH = Select(
    columns=[f"(min(began) - {_SLACK}, max(ended) + {_SLACK}, groupArray(of_target)) AS both"], source=_ARMS
)
_BEGAN, _ENDED, _TARGETS = "reach.1", "reach.2", "reach.3"
_KINDS = ", ".join(
    f"('{name}', {ppm}, {value}, {member})"
    for name, ppms in DURATIONS.items()
    for value, member in [population(name)]
    for ppm in ppms
)
_DUE_MS = "(toUnixTimestamp64Milli(s.ended_at) - intDiv(s.elapsed_us, 1000))"
_VALUES = Select(
    columns=["is_b", "block", "lot", "one.1 AS family", "one.2 AS ppm", "one.3 AS value"],
    source=Select(
        columns=[
            f"s.run_id = {_B} AS is_b",
            f"intDiv({_DUE_MS} - toUnixTimestamp64Milli(w.since), {BLOCK_S * 1000}) AS block",
            "cityHash64(s.record_id) AS lot",
            f"arrayJoin([{_KINDS}]) AS one",
        ],
        source=f"inferometer.requests AS s\nINNER JOIN {aside(_MEASURED, 'w')} USING (run_id)",
        where=[
            f"s.endpoint IN {_TARGETS}",
            f"s.ended_at >= {_BEGAN}",
            f"s.ended_at <= {_ENDED}",
            # The sorting key holds the minute, as in `telemetry.queries.asked`.
            f"toStartOfMinute(s.ended_at) >= toStartOfMinute({_BEGAN})",
            f"toStartOfMinute(s.ended_at) <= toStartOfMinute({_ENDED})",
            "s.traffic = 'loadtest'",
            f"{_DUE_MS} >= toUnixTimestamp64Milli(w.since)",
            f"{_DUE_MS} < toUnixTimestamp64Milli(w.until)",
        ],
    ),
    where=["one.4"],
)
_RANKED = Select(
    columns=[
        "*",
        "count() OVER (PARTITION BY family, ppm, is_b) AS n",
        # Of equal values any is the smaller one, whatever its block.
        "row_number() OVER (PARTITION BY family, ppm, is_b ORDER BY value, lot) AS place",
        "greatest(1, intDiv(ppm * n + 999999, 1000000)) AS rank",
    ],
    source=_VALUES,
)
_BLOCKS = Select(
    columns=[
        *("family", "ppm", "is_b", "any(n) AS whole", "any(rank) AS at_rank"),
        *("count() AS of_block", "countIf(place <= rank) AS below", "groupArray(value) AS found"),
    ],
    source=_RANKED,
    group_by=["family", "ppm", "is_b", "block"],
)
_QUANTILES = Select(
    given=[
        "rank / n AS share",
        "blocks / (blocks - 1) * (squares - 2 * share * products + share * share * sizes) / n / n AS variance",
        f"{Z_95} AS z",
        "z + (pow(z, 3) + z) / 4 / (blocks - 1) AS t",
        "if(blocks < 2, 1, t * sqrt(greatest(variance, 0))) AS error",
        "toInt64(ceil((share - error) * n)) AS low_at",
        "toInt64(floor((share + error) * n)) + 1 AS high_at",
    ],
    columns=[
        *("family", "ppm", "is_b", "n", "blocks", "ordered[rank] / 1000000 AS value"),
        "if(low_at < 1, 0., ordered[low_at] / 1000000) AS low",
        "if(high_at > n, inf, ordered[high_at] / 1000000) AS high",
    ],
    source=Select(
        columns=[
            *("family", "ppm", "is_b", "any(whole) AS n", "any(at_rank) AS rank", "count() AS blocks"),
            "sum(below * below) AS squares",
            "sum(below * of_block) AS products",
            "sum(of_block * of_block) AS sizes",
            "arraySort(arrayFlatten(groupArray(found))) AS ordered",
        ],
        source=_BLOCKS,
        group_by=["family", "ppm", "is_b"],
    ),
)
_SIDES = Select(
    columns=[
        *("family", "ppm"),
        *(
            f"anyOrNullIf({name}, {condition}) AS {told}_{side}"
            for name, told in {"value": "s", "low": "s_low", "high": "s_high", "n": "n", "blocks": "blocks"}.items()
            for side, condition in _ARM.items()
        ),
    ],
    source=_QUANTILES,
    group_by=["family", "ppm"],
)
_EFFECTS = Select(
    columns=[
        "family",
        # Which of two is smaller is all that ranks know: a failure is larger than any duration.
        "mannWhitneyUTest('two-sided')(least(value, 1e18), is_b) AS test",
        *("countIf(is_b) AS of_b", "countIf(NOT is_b) AS of_a"),
    ],
    # Of one run alone there is no such test, and the store refuses to make it.
    source=Select(
        columns=["*", *(f"{end}(is_b) OVER (PARTITION BY family) AS {end}_side" for end in ("min", "max"))],
        source=_VALUES,
        where=[f"ppm = {P50}"],
    ),
    where=["min_side != max_side"],
    group_by=["family"],
)
_FACTS = Select(
    columns=[
        *(
            f"anyOrNullIf({name}, {condition}) AS {told}_{side}"
            for name, told in {
                "r.run_id": "run",
                "fit": "fit",
                "seed": "seed",
                "plan_sha256": "plan",
                "tokens": "tokens",
                "m.due": "due",
                "m.kept": "kept",
            }.items()
            for side, condition in _ARM.items()
        ),
        *(f"anyIf(parts, {condition}) AS parts_{side}" for side, condition in _ARM.items()),
    ],
    source=f"{aside(_ARMS, 'r')}\nLEFT JOIN {aside(_MEASURED, 'm')} USING (run_id)",
    having=["isNotNull(run_b)"],
)
_DIFFERING = "arrayMap(one -> one.1, arrayFilter(one -> NOT has(parts_b, one), parts_a))"
_FLAGS = (
    "if(isNull(run_a), 'there is no run before it of this target, mix and rate', '')",
    "if(isNull(run_a) OR fit_a = 'fit', '', concat(run_a, ' is not proven fit'))",
    "if(fit_b = 'fit', '', concat(run_b, ' is not proven fit'))",
    "if(isNull(run_a) OR plan_a = plan_b OR seed_a != seed_b, '', 'plans differ')",
    "if(isNull(run_a) OR seed_a = seed_b, '', concat('plan seeds differ: ', seed_a, ', ', seed_b))",
    "if(isNull(run_a) OR empty(differing), '', concat('configurations differ: ', arrayStringConcat(differing, ', ')))",
)
_KNOWN = Select(
    given=[f"{_DIFFERING} AS differing", f"[{', '.join(_FLAGS)}] AS told"],
    columns=[
        "*",
        "arrayStringConcat(arrayFilter(one -> one != '', arrayMap(one -> ifNull(one, ''), told)), '; ') AS flags",
        "hasAny(['unfit', 'void', ''], [ifNull(fit_a, ''), fit_b]) AS is_silent",
    ],
    source=_FACTS,
)
_FLOORS = ", ".join(
    f"({at}, '{name}', {ppm}, '{name} p{ppm / 10_000:g}', {n_min(ppm)})"
    for at, (name, ppm) in enumerate((name, ppm) for name, ppms in DURATIONS.items() for ppm in ppms)
)
_TOLD = ("place", "metric", "unit", "a", "b", "ratio", "ratio_low", "ratio_high", "effect", "p", "verdict")
_BESIDE = ("n_a", "n_b", "run_a", "run_b", "flags")
_OF_DURATIONS = Select(
    given=[
        "(s_low_b > s_high_a AND isInfinite(s_b)) AS is_worse",
        "(s_low_a > s_high_b AND isInfinite(s_a)) AS is_better",
    ],
    columns=[
        *("one.1 AS place", "one.4 AS metric", "'s' AS unit"),
        *("if(isInfinite(s_a), NULL, s_a) AS a", "if(isInfinite(s_b), NULL, s_b) AS b", "b / a AS ratio"),
        *_ratio_ends("s"),
        *("if(of_a = 0, NULL, 1 - test.1 / of_a / of_b) AS effect", "if(of_a = 0, NULL, test.2) AS p"),
        _verdict(
            {
                "isNull(n_a) OR isNull(n_b)": "no values",
                f"least(n_a, n_b) < one.5 OR least(blocks_a, blocks_b) < {BLOCKS_LEAST}": "n too small",
                "isInfinite(s_a) AND isInfinite(s_b)": "both fail",
                "is_worse OR ratio_low > 1": "worse",
                "is_better OR ratio_high < 1": "better",
            }
        ),
        *_BESIDE,
    ],
    source=f"(SELECT arrayJoin([{_FLOORS}]) AS one, one.2 AS family, one.3 AS ppm) AS l\nCROSS JOIN known AS k"
    f"\nLEFT JOIN {aside(_SIDES, 'q')} ON q.family = l.family AND q.ppm = l.ppm"
    f"\nLEFT JOIN {aside(_EFFECTS, 'u')} ON u.family = l.family",
)
_OF_SHARES = Select(
    given=[
        *(f"kept_{side} / nullIf(due_{side}, 0) AS g_{side}" for side in _ARM),
        *(
            f"{end} AS g_{name}_{side}"
            for side in _ARM
            for end, name in zip(wilson(f"kept_{side}", f"nullIf(due_{side}, 0)"), ("low", "high"), strict=True)
        ),
    ],
    columns=[
        *("100 AS place", "'good share' AS metric", "'ratio' AS unit", "g_a AS a", "g_b AS b"),
        *("b / nullIf(a, 0) AS ratio", *_ratio_ends("g")),
        *("CAST(NULL, 'Nullable(Float64)') AS effect", "CAST(NULL, 'Nullable(Float64)') AS p"),
        _verdict({"ratio_high < 1": "worse", "ratio_low > 1": "better"}),
        *("due_a AS n_a", "due_b AS n_b", "run_a", "run_b", "flags"),
    ],
    source="known",
)
_OF_TOKENS = Select(
    columns=[
        *("101 AS place", "'output tokens a second' AS metric", "'tok/s' AS unit", "tokens_a AS a", "tokens_b AS b"),
        "b / nullIf(a, 0) AS ratio",
        *(f"CAST(NULL, 'Nullable(Float64)') AS {name}" for name in ("ratio_low", "ratio_high", "effect", "p")),
        *("CAST(NULL, 'Nullable(String)') AS verdict", "due_a AS n_a", "due_b AS n_b", "run_a", "run_b", "flags"),
    ],
    source="known",
)
_COMPARED = Select(
    given=[f"(\n{_PAIR.text()}\n) AS pair", f"(\n{_REACH.text()}\n) AS reach", f"known AS (\n{_KNOWN.text()}\n)"],
    columns=[*_TOLD[1:], *_BESIDE, "n_b AS n"],
    source="(\n"
    + "\nUNION ALL\n".join(
        Select(columns=[*_TOLD, *_BESIDE], source=one).text() for one in (_OF_DURATIONS, _OF_SHARES, _OF_TOKENS)
    )
    + "\n)",
    order_by=["place"],
).text()
