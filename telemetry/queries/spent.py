"""Knows the questions about one group of one objective: its counts by step, and by what; refuses to know targets.

A group is named by its values, in any order, and compared with what stands in the row; counts of another definition
are left out. A bucket may have several revisions, of which the last one holds. Error: none.

Source: spec/slo.md 17 (`excluded{}`, `censored_bad`, series); spec/store.md 4.5 (`slo_minutes`, revisions).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from telemetry.queries.counted import BUCKET_S
from telemetry.queries.question import PAGE_S, Question, Select

STEPS_MAX = 3_000
"""Steps of one series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedGroup:
    """Whose counts are meant.

    Attributes:
        slo: Name of the objective.
        definition_hash: Of what counts.
        group: Values that it is grouped by; empty for one that is not grouped.
    """

    slo: str
    definition_hash: int
    group: Mapping[str, str] = field(default_factory=dict[str, str])


def spent(of: CountedGroup, since_s: int, until_s: int) -> Question:
    """Ask what the requests of a time [since, until) were.

    Row, one: `eligible`, `good`, `censored_bad`, `bad` (outcome to count), `excluded` (outcome to count), `n_null`
    (column to count), `buckets` (with a row).
    """
    return _asked(_SPENT, of, since=since_s, until=until_s)


def series(of: CountedGroup, since_s: int, until_s: int, step_s: int) -> Question:
    """Ask for counts by step over [since, until).

    Rows: `t_unix_s` (start of the step: since + n * step), `eligible`, `good`, `censored_bad`; oldest first. Steps
    without a row are absent.

    Raises:
        ValueError: The step is no multiple of the bucket, or there are more than `STEPS_MAX`.
    """
    if step_s <= 0 or step_s % BUCKET_S:
        raise ValueError(f"steps of {step_s} s are not made of buckets of {BUCKET_S} s")
    if not 0 < until_s - since_s <= STEPS_MAX * step_s:
        raise ValueError(f"{until_s - since_s} s in steps of {step_s} s; allowed are 1 to {STEPS_MAX} steps")
    return _asked(_BY_STEP, of, since=since_s, until=until_s, length=step_s)


def _asked(sql: str, of: CountedGroup, **values: int) -> Question:
    named: dict[str, object] = {
        "slo": of.slo,
        "definition": of.definition_hash,
        "names": list(of.group),
        "values": list(of.group.values()),
    }
    return Question(sql=sql, parameters=named | values, seconds_max=PAGE_S)


_SAME_GROUP = (
    "arraySort(JSONExtractKeysAndValues(group_key, 'String'))"
    " = arraySort(arrayZip({names:Array(String)}, {values:Array(String)}))"
)
_MAPS = ("bad", "excluded", "n_null")
_LAST = Select(
    columns=[
        "toInt64(toUnixTimestamp(t)) AS at_s",
        *(f"argMax(m.{name}, m.revision) AS {name}" for name in ("eligible", "good", "censored_bad", *_MAPS)),
    ],
    source="inferometer.slo_minutes AS m",
    where=[
        "slo = {slo:String}",
        "definition_hash = {definition:UInt64}",
        "t >= toDateTime({since:Int64})",
        "t < toDateTime({until:Int64})",
        _SAME_GROUP,
    ],
    group_by=["group_key", "t"],
)
_SUMS = [f"sum(last.{name}) AS {name}" for name in ("eligible", "good", "censored_bad")]
_SPENT = Select(
    columns=[*_SUMS, *(f"sumMap(last.{name}) AS {name}" for name in _MAPS), "count() AS buckets"],
    source=f"(\n{_LAST.text()}\n) AS last",
).text()
_BY_STEP = Select(
    columns=["{since:Int64} + intDiv(at_s - {since:Int64}, {length:Int64}) * {length:Int64} AS t_unix_s", *_SUMS],
    source=f"(\n{_LAST.text()}\n) AS last",
    group_by=["t_unix_s"],
    order_by=["t_unix_s"],
).text()
