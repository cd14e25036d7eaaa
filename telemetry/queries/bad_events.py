"""Knows the questions about the bad requests of one objective: how many, how they ended, where their time went.

Bad is what the objective itself calls bad, by its own compiled expression, so a request that was answered too late is
among them. All counts are of raw rows, so they are exact; medians are exact too and NULL where no value is known. It
refuses to know causes.

Error: of the window none. What is usual is of every request of the same hours of the days before, if the window lasts
an hour at most or these are no more than `REFERENCE_ROWS_MAX`, by the count of two days; else of one second in so many,
drawn by a hash, so the same ones for whoever asks. A share of 1 % of a million then has a standard error of 0.01 %;
seconds that share a burst make it larger.

Source: spec/slo.md 3 (what counts), 12 (impact, error classes, phase split, exemplars); spec/measurement.md 6.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from telemetry.queries.asked import EXPRESSIONS, Dim
from telemetry.queries.bounds import BAD, GOOD
from telemetry.queries.counted import Counted, judged
from telemetry.queries.question import LIVE_S, Question, Select

ENDINGS_MAX = 20
"""Ways to end in one answer."""
EXEMPLARS_EACH = 3
"""Requests of each kind: so that three kinds name three requests, even if they agree on the first."""
REFERENCE_DAYS = 7
REFERENCE_ROWS_MAX = 1_000_000
"""Requests of the days before that are looked at, about: a core judges and groups some two million in a second."""
WHOLE_MS_MAX = 3_600_000
"""Longest window whose days before are looked at whole, however many requests they have: to count takes time, too."""
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Requests of one objective and group in one window.

    Attributes:
        objective: What counts, and what is bad.
        since_ms: Start of the window of `ended_at`, unix milliseconds, included.
        until_ms: End, excluded.
        group: Value of each dimension that the group stands for.
        where: Values that other dimensions may have.
    """

    objective: Counted
    since_ms: int
    until_ms: int
    group: Mapping[Dim, str] = field(default_factory=dict[Dim, str])
    where: Mapping[Dim, tuple[str, ...]] = field(default_factory=dict[Dim, tuple[str, ...]])

    def __post_init__(self) -> None:
        """Refuse a window that would be its own reference.

        Raises:
            ValueError: The window is empty or longer than a day.
        """
        if not 0 < self.until_ms - self.since_ms <= DAY_MS:
            raise ValueError("the same hours of other days are compared: a window lasts a day at most, and not nothing")

    def rows(self, columns: Sequence[str], *, past: bool = False) -> tuple[Select, dict[str, object]]:
        """Return its requests with `verdict` and what is wanted of each, and the values that this needs.

        Args:
            columns: As `counted.judged` takes them.
            past: Whether the same hours of the days before are among them, or the seconds of these that are looked at;
                `DAYS_AGO` tells them apart, and `one_in` says how many seconds one stands for.
        """
        named = {f"group_{dim.value}": (dim, [self.group[dim]]) for dim in Dim if dim in self.group}
        named |= {f"where_{dim.value}": (dim, [*self.where[dim]]) for dim in Dim if dim in self.where}
        kept = [f"{EXPRESSIONS[dim]} IN {{{name}:Array(String)}}" for name, (dim, _) in named.items()]
        length_ms = self.until_ms - self.since_ms
        is_thinned = past and length_ms > WHOLE_MS_MAX
        found, values = judged(self.objective, columns, [f"({_with_past(length_ms) if past else _span(0)})", *kept])
        values |= {"since": self.since_ms, "until": self.until_ms}
        values |= {name: listed for name, (_, listed) in named.items()}
        if is_thinned:
            counted, _ = judged(self.objective, [], [f"({_span(0)} OR {_span(1)})", *kept])
            one_in = Select(columns=[_ONE_IN], source=counted).text()
            found = replace(found, given=[f"(\n{one_in}\n) AS one_in"], columns=[*found.columns, "one_in"])
            values["reference_rows"] = REFERENCE_ROWS_MAX
        elif past:
            found = replace(found, columns=[*found.columns, "1 AS one_in"])
        return found, values


# By two days, the window's among them: to count all seven took 0.9 s of 3.7 (23 million rows, chDB 26.9).
_ONE_IN = f"toUInt32(greatest(1, ceil(count() * {REFERENCE_DAYS / 2} / {{reference_rows:UInt64}})))"
_IS_LOOKED_AT = "cityHash64(toUnixTimestamp(ended_at)) % one_in = 0"


def _span(days_ago: int) -> str:
    # The table is sorted by minute before time, and the store leaves granules out only by what is asked of the minute:
    # of 590 granules of eight days 7 are read, without it 296 (EXPLAIN indexes = 1, chDB 26.9).
    since, until = (f"fromUnixTimestamp64Milli({{{end}:Int64}} - {days_ago * DAY_MS})" for end in ("since", "until"))
    minutes = f"toStartOfMinute(ended_at) BETWEEN toStartOfMinute({since}) AND toStartOfMinute({until})"
    return f"{minutes} AND ended_at >= {since} AND ended_at < {until}"


# Seven ranges, not a remainder: only ranges let the store leave out the rest of the week.
_SAME_HOURS = " OR ".join(f"({_span(days)})" for days in range(1, REFERENCE_DAYS + 1))
_SINCE, _UNTIL = (f"fromUnixTimestamp64Milli({{{end}:Int64}})" for end in ("since", "until"))
# One range where they touch: seven took a quarter longer to be told apart (27 million rows counted, chDB 26.9).
_WHOLE_DAYS = (
    f"ended_at >= {_SINCE} - INTERVAL {REFERENCE_DAYS} DAY AND ended_at < {_UNTIL}"
    f" AND (ended_at >= {_SINCE} OR {_IS_LOOKED_AT})"
)


def _with_past(length_ms: int) -> str:
    if length_ms == DAY_MS:
        return _WHOLE_DAYS
    looked_at = f"({_SAME_HOURS}) AND {_IS_LOOKED_AT}" if length_ms > WHOLE_MS_MAX else _SAME_HOURS
    return f"{_span(0)} OR ({looked_at})"


DAYS_AGO = f"intDiv({{until:Int64}} - 1 - toUnixTimestamp64Milli(ended_at), {DAY_MS})"
"""How many days before the window a request of the same hours ended; 0 is within."""
COUNTS = f"verdict IN ({GOOD}, {BAD})"
"""Requests that count."""
IS_BAD = f"verdict = {BAD}"


def impact(scope: Scope) -> Question:
    """Ask how much is bad.

    Rows: one with `n` (requests that count), `bad`, `bad_http` (those of them that an HTTP status of 500 or more
    shows), `tenants` and `tenants_hit` (tenants known by name, and those of them with a bad request).
    """
    rows, values = scope.rows(["tenant AS of_tenant", "http_status AS of_status"])
    named = "of_tenant != ''"
    found = Select(
        columns=[
            f"countIf({COUNTS}) AS n",
            f"countIf({IS_BAD}) AS bad",
            f"countIf({IS_BAD} AND of_status >= 500) AS bad_http",
            f"uniqExactIf(of_tenant, {COUNTS} AND {named}) AS tenants",
            f"uniqExactIf(of_tenant, {IS_BAD} AND {named}) AS tenants_hit",
        ],
        source=rows,
    )
    return Question(sql=found.text(), parameters=values, seconds_max=LIVE_S)


def endings(scope: Scope) -> Question:
    """Ask how the bad requests ended, the most frequent ending first.

    Rows: `outcome`, `phase`, `in_stream` (1: under HTTP 200), `n`.
    """
    rows, values = scope.rows(
        ["toString(outcome) AS of_outcome", "toString(phase) AS of_phase", "in_stream AS of_in_stream"]
    )
    found = Select(
        columns=["of_outcome AS outcome", "of_phase AS phase", "of_in_stream AS in_stream", "count() AS n"],
        source=rows,
        where=[IS_BAD],
        group_by=["outcome", "phase", "in_stream"],
        order_by=["n DESC", "outcome", "phase", "in_stream"],
        tail=f"LIMIT {ENDINGS_MAX}",
    )
    return Question(sql=found.text(), parameters=values, seconds_max=LIVE_S)


PHASES: Mapping[str, str] = {
    "no_output": "if(isNull(ttft_us), toNullable(elapsed_us), NULL)",
    "first_output": "ttft_us",
    "network": "residual_us",
    "queue": "srv_queue_us",
    "prefill": "srv_prefill_us",
    "decode": "if(isNull(ttft_us), NULL, elapsed_us - ttft_us)",
    "stall": "stall_us",
}
"""Parts of a request's time, microseconds: waited in vain for output; to the first output, and of that what the
engine's own times leave over, its queue and its prefill; from there to the end, and of that the gaps that were too
long."""


def phases(scope: Scope) -> Question:
    """Ask for the median of each part of the time of the bad requests, and of what is usual.

    Rows: `who` (`bad`; `usual`: all that counted in the same hours of the 7 days before), `n`, and of each of `PHASES`
    `<phase>_us`, NULL where no request has it.
    """
    wanted = [f"{sql} AS of_{name}" for name, sql in PHASES.items()]
    rows, values = scope.rows([f"{DAYS_AGO} AS of_day", *wanted], past=True)
    found = Select(
        columns=[
            "if(of_day = 0, 'bad', 'usual') AS who",
            "count() AS n",
            *(f"quantileExact(0.5)(of_{name}) AS {name}_us" for name in PHASES),
        ],
        source=rows,
        where=[f"if(of_day = 0, {IS_BAD}, {COUNTS})"],
        group_by=["who"],
        order_by=["who"],
    )
    return Question(sql=found.text(), parameters=values, seconds_max=LIVE_S)


def exemplars(scope: Scope) -> Question:
    """Ask for bad requests that stand for the others.

    Rows: `record_id`, `trace_id` (hexadecimal, NULL without one), `t_unix_ms` (its end), `elapsed_us`, `outcome`,
    `replica`, and its places from 1 on among the longest (`worst`), the newest (`newest`), and those nearest to the
    median length of the most frequent outcome (`typical`); each within the first `EXEMPLARS_EACH` somewhere.
    """
    rows, values = scope.rows(
        [
            "toUnixTimestamp64Milli(ended_at) AS of_ms",
            "elapsed_us AS of_elapsed_us",
            "record_id AS of_id",
            "trace_id AS of_trace",
            "toString(replica) AS of_replica",
            "toString(outcome) AS of_outcome",
        ]
    )
    placed = Select(
        columns=[
            "*",
            "row_number() OVER (ORDER BY of_elapsed_us DESC, of_id) AS worst",
            "row_number() OVER (ORDER BY of_ms DESC, of_id) AS newest",
            "row_number() OVER (PARTITION BY of_outcome ORDER BY of_elapsed_us, of_id) AS place",
            "count() OVER (PARTITION BY of_outcome) AS alike",
        ],
        source=rows,
        where=[IS_BAD],
    )
    nearest = "abs(2 * toInt64(place) - toInt64(alike))"
    ranked = Select(
        columns=["*", f"row_number() OVER (ORDER BY alike DESC, of_outcome, {nearest}, of_id) AS typical"],
        source=placed,
    )
    found = Select(
        columns=[
            "of_id AS record_id",
            "if(of_trace = toFixedString('', 16), NULL, lower(hex(of_trace))) AS trace_id",
            "of_ms AS t_unix_ms",
            "of_elapsed_us AS elapsed_us",
            "of_outcome AS outcome",
            "of_replica AS replica",
            *("worst", "typical", "newest"),
        ],
        source=ranked,
        where=[f"least(worst, typical, newest) <= {EXEMPLARS_EACH}"],
        order_by=["worst"],
    )
    return Question(sql=found.text(), parameters=values, seconds_max=LIVE_S)
