"""Knows how to count batch jobs: requests that share a `flow_id` are the items of a job; refuses to know targets.

A job begins with the first of its items that ended, and its deadline is a fixed time after that. Jobs are looked at
every `SLICE_S`, at instants that are whole multiples of it, so what happened in a slice counts in the slice's last
bucket. A job that is silent for as long as its whole time is over; the same number later is another job.

Items (`items_counted`): one done by the deadline is good, one done later is bad. Where it is known how many there are,
those that are not done when the deadline comes are bad, at that instant and never again; an item that fails may be
tried again, so a failure alone is nothing yet. Where it is not known, a failure is bad and what comes late is.

Slices (`slices_counted`): a slice through which a job ran is good if at least as many items per second were done in it
as are left at its start per second that is left. The first slice of a job, of which it had a part only, does not count;
the one in which the deadline comes counts up to there.

Error: none, of the rows that are there. One that comes late changes its slice; what was missing at a deadline stays so.

Source: spec/slo.md 2 (batch_deadline, batch_throughput).
"""

from dataclasses import dataclass

from telemetry.queries.bounds import BAD, CENSORED, EXCLUDED, GOOD
from telemetry.queries.counted import BUCKET_S, Counted, tallied
from telemetry.queries.question import PAGE_S, Question, Select
from telemetry.queries.steps import Span, group_columns, group_key, steps_of

SLICE_S = 600
"""How often jobs are looked at."""
DEADLINE_S_MAX = 7 * 86_400
"""Longest time of a job: twice as much is looked at, and requests are kept for a fortnight."""
ITEMS_MAX = 1_000_000_000
"""Items of a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedJobs:
    """An objective of batch jobs as the store counts it.

    Attributes:
        rows: Which requests are items; one whose class is good is done.
        deadline_s: From the start of a job.
        items: How many each job has; None if that is unknown.
    """

    rows: Counted
    deadline_s: float
    items: int | None = None


def items_counted(one: CountedJobs, since_ms: int, until_ms: int) -> Question | None:
    """Ask for the counts of items in the buckets [since, until).

    Rows: as `counted.counts` gives them; an item is grouped by what the first item of its job was.

    Returns:
        None if no slice ends there, so that nothing is counted.

    Raises:
        ValueError: The deadline or the number of items is beyond its bound.
    """
    found = _jobs(one, since_ms, until_ms)
    if found is None:
        return None
    jobs, values = found
    events = Select(
        columns=[
            *_NAMED,
            "(intDiv(event.1, {slice:Int64}) + 1) * {slice_s:Int64} - {bucket:Int64} AS t_unix_s",
            *("event.2 AS outcome", "event.3 AS class", "event.4 AS verdict", "event.5 AS rows", _NO_NULLS),
        ],
        source=Select(columns=["group_key", f"arrayJoin({_ITEMS}) AS event"], source=jobs),
        where=["event.5 > 0", "event.1 >= {first:Int64}", "event.1 < {until:Int64} * 1000"],
    )
    return Question(sql=tallied(events.text()), parameters=values, seconds_max=PAGE_S)


def slices_counted(one: CountedJobs, since_ms: int, until_ms: int) -> Question | None:
    """Ask for the counts of slices, of each job that ran through them, in the buckets [since, until).

    Rows: as `counted.counts` gives them.

    Returns:
        None if no slice ends there.

    Raises:
        ValueError: The deadline or the number of items is beyond its bound, or the number is not known.
    """
    if one.items is None:
        raise ValueError("slices of a job whose items nobody has counted")
    found = _jobs(one, since_ms, until_ms)
    if found is None:
        return None
    jobs, values = found
    starts = "arrayJoin(range({first:Int64}, {until:Int64} * 1000, {slice:Int64})) AS slice_us"
    sliced = Select(columns=["*", starts, *_SLICE], source=jobs)
    events = Select(
        columns=[
            *_NAMED,
            "intDiv(slice_us, 1000000) + {slice_s:Int64} - {bucket:Int64} AS t_unix_s",
            "newest AS outcome",
            f"toUInt8(if({_IS_FAST}, {GOOD}, {BAD})) AS verdict",
            *("verdict AS class", "toUInt64(1) AS rows", _NO_NULLS),
        ],
        source=sliced,
        where=["start_us <= slice_us", "deadline_us > slice_us", "left_n > 0"],
    )
    return Question(sql=tallied(events.text()), parameters=values, seconds_max=PAGE_S)


def _jobs(one: CountedJobs, since_ms: int, until_ms: int) -> tuple[Select, dict[str, object]] | None:
    """Return the jobs that may count in the slices that end in (since, until], and the values that this needs."""
    if not 0 < one.deadline_s <= DEADLINE_S_MAX or not 0 < (one.items or 1) <= ITEMS_MAX:
        raise ValueError(f"{one.items} items in {one.deadline_s} s; allowed are {ITEMS_MAX} in {DEADLINE_S_MAX} s")
    slice_ms = SLICE_S * 1000
    first_ms, end_ms = since_ms // slice_ms * slice_ms, until_ms // slice_ms * slice_ms
    if first_ms >= end_ms:
        return None
    deadline_us = round(one.deadline_s * 1e6)
    span = Span(since_ms=first_ms - 2 * (deadline_us // 1000), until_ms=end_ms, quiet_us=deadline_us)
    rows, values = steps_of(one.rows, span)
    values |= {
        "slo": one.rows.name,
        "deadline": deadline_us,
        "items": one.items or 0,
        "first": first_ms * 1000,
        "slice": SLICE_S * 1_000_000,
        "slice_s": SLICE_S,
        "bucket": BUCKET_S,
    }
    jobs = Select(columns=[*_JOB, *group_columns(one.rows)], source=rows, group_by=["flow", "part"])
    return Select(columns=["*", group_key(one.rows)], source=jobs), values


_NAMED = ("{slo:String} AS slo", "group_key")
_NO_NULLS = "CAST(map(), 'Map(String, UInt64)') AS n_null"
_JOB = (
    *("flow", "part"),
    "argMin(ended_us - lasted_us, ended_us) AS start_us",
    "start_us + {deadline:Int64} AS deadline_us",
    # The deadline of a job whose first item ends after it is known then.
    "greatest(deadline_us, min(ended_us)) AS due_us",
    "argMax(ending, ended_us) AS newest",
    "arraySort(groupArray((ended_us, ending, class))) AS ended",
)
_DONE = f"arrayCount(row -> row.3 = {GOOD} AND row.1 <= deadline_us, ended)"
_NEVER = f"arrayCount(row -> row.3 = {EXCLUDED} AND row.1 <= deadline_us, ended)"
_MISSING = f"greatest(0, toInt64({{items:UInt64}}) - {_DONE} - {_NEVER})"
_VERDICT = f"multiIf(row.3 = {EXCLUDED}, {EXCLUDED}, row.1 > deadline_us, {BAD}, row.3 = {CENSORED}, {EXCLUDED}, row.3)"
_EACH = f"arrayMap(row -> (row.1, row.2, row.3, toUInt8({_VERDICT}), toUInt64(1)), ended)"
_KNOWN_EACH = (
    f"arrayMap(row -> (row.1, row.2, row.3, row.3, toUInt64(1)),"
    f" arrayFilter(row -> row.1 <= deadline_us AND row.3 IN ({GOOD}, {EXCLUDED}), ended))"
)
_LATE = f"[(due_us, newest, toUInt8({BAD}), toUInt8({BAD}), toUInt64({_MISSING}))]"
_ITEMS = f"if({{items:UInt64}} = 0, {_EACH}, arrayConcat({_KNOWN_EACH}, {_LATE}))"
"""What happens to a job: unix microseconds, outcome, class, verdict, how many."""
_SLICE = (
    f"arrayCount(row -> row.3 IN ({GOOD}, {EXCLUDED}) AND row.1 < slice_us, ended) AS before_n",
    "slice_us + {slice:Int64} AS end_us",
    "least(end_us - 1, deadline_us) AS last_us",
    f"arrayCount(row -> row.3 = {GOOD} AND row.1 BETWEEN slice_us AND last_us, ended) AS done_n",
    "toInt64({items:UInt64}) - before_n AS left_n",
    "(deadline_us - slice_us) / 1e6 AS left_s",
    "(least(end_us, deadline_us) - slice_us) / 1e6 AS ran_s",
)
_IS_FAST = "done_n >= left_n OR done_n * left_s >= left_n * ran_s"
