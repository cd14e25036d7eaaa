"""Knows the question where excess bad events are concentrated; refuses to call that a cause.

For each value of each dimension: excess = bad now - n now * reference share, the reference being the median share of
bad events in the same time of day of the days before. Values rank by excess; one below a tenth of all excess is left
out, as is one that has no more bad events than expected.

Error: of `n` and `bad` none, the counts are of raw rows; of the reference that of `bad_events`. Below `n` of a few
dozen a single bad event makes a large share: n stands in every row. A value that no day before has seen is compared
with the share of everything before; if nothing was seen at all, with 0, and `ratio_ref` is NULL.

Source: spec/slo.md 12 (contributors), 3 (what counts as bad).
"""

from telemetry.queries.asked import EXPRESSIONS, Dim
from telemetry.queries.bad_events import COUNTS, DAYS_AGO, IS_BAD, Scope
from telemetry.queries.question import LIVE_S, Question, Select

CONTRIBUTOR_DIMS = (
    Dim.ENDPOINT,
    Dim.MODEL,
    Dim.REGION,
    Dim.WORKLOAD_CLASS,
    Dim.VARIANT,
    Dim.REPLICA,
    Dim.TENANT,
    Dim.PROMPT_LENGTH,
)
SHARE_MIN = 0.1
LIFT_MIN = 1.2
"""How many times the share of all a value's share of bad requests is at least, if it stands out."""
CONTRIBUTORS_MAX = 100
"""Rows of an answer."""


def contributors_of(scope: Scope) -> Question:
    """Ask which values of which dimension hold the excess of what an objective calls bad.

    Rows, largest excess first: `dim`, `value`, `n`, `bad`, `ratio_ref` (median share of bad of the same time on the
    days before; NULL if it was not seen), `excess` (bad events above the reference), `share` (of the excess of all),
    `lift` (its share of bad over that of everything), `days` (that it was seen on), `one_in` (1: the days before are
    counted whole; else of one second in so many).
    """
    names = [f"of_{dim.value}" for dim in CONTRIBUTOR_DIMS]
    columns = [f"toString({EXPRESSIONS[dim]}) AS {name}" for dim, name in zip(CONTRIBUTOR_DIMS, names, strict=True)]
    rows, values = scope.rows([f"{DAYS_AGO} AS day", *columns], past=True)
    counted = Select(
        columns=[
            *("day", "any(one_in) AS of_seconds", *names),
            *(f"countIf({COUNTS}) AS events", f"countIf({IS_BAD}) AS bad_events"),
        ],
        source=rows,
        group_by=["day", *names],
    )
    return Question(sql=_ranked(counted).text(), parameters=values | {"share_min": SHARE_MIN}, seconds_max=LIVE_S)


def _ranked(counted: Select) -> Select:
    pairs = ", ".join(f"('{dim.value}', of_{dim.value})" for dim in CONTRIBUTOR_DIMS)
    daily = Select(
        columns=[
            f"arrayJoin([('', ''), {pairs}]) AS one",
            "day",
            "any(of_seconds) AS day_seconds",
            "sum(events) AS day_n",
            "sum(bad_events) AS day_bad",
        ],
        source=counted,
        group_by=["one", "day"],
    )
    judged = Select(
        columns=[
            "one",
            "any(day_seconds) AS one_in",
            "sumIf(day_n, day = 0) AS n",
            "sumIf(day_bad, day = 0) AS bad",
            "countIf(day > 0 AND day_n > 0) AS days",
            "quantileExactIf(0.5)(day_bad / greatest(day_n, 1), day > 0 AND day_n > 0) AS median_ratio",
            "if(days = 0, NULL, median_ratio) AS ratio_ref",
        ],
        source=daily,
        group_by=["one"],
    )
    compared = Select(
        columns=[
            "*",
            "anyIf(ratio_ref, one.1 = '') OVER () AS ratio_ref_all",
            "anyIf(bad / greatest(n, 1), one.1 = '') OVER () AS ratio_all",
            "bad - n * coalesce(ratio_ref, ratio_ref_all, 0) AS excess",
            "anyIf(bad - n * coalesce(ratio_ref, 0), one.1 = '') OVER () AS excess_all",
        ],
        source=judged,
    )
    return Select(
        columns=[
            "one.1 AS dim",
            "one.2 AS value",
            *("n", "bad", "ratio_ref", "excess"),
            "excess / excess_all AS share",
            "bad / n / ratio_all AS lift",
            *("days", "one_in"),
        ],
        source=compared,
        where=["one.1 != ''", "n > 0", "excess > 0", "excess_all > 0", "excess / excess_all >= {share_min:Float64}"],
        order_by=["excess DESC", "dim", "value"],
        tail=f"LIMIT {CONTRIBUTORS_MAX}",
    )
