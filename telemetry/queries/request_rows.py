"""Knows the questions for requests one by one, and what the bad ones among them share; refuses to know one by its id.

No prompt or answer is stored, so none can be shown. Rows are told newest first, so many at a time; where they go on is
the last row's end and id.

Source: spec/ui.md 5 (req.rows); spec/store.md 2.1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from telemetry.queries.asked import ROLLED_DIMS, Asked, Metric, Pick, Source, conditions, parameters, table
from telemetry.queries.question import Question, Select

REQUEST_ROWS_MAX = 1_000
"""Rows of one answer."""
FACETS_MAX = 50
"""Values of all facets together, the ones that stand out most."""
FACETS = ("endpoint", "model", "region", "workload_class", "variant", "replica", "api", "outcome", "phase")
"""What requests are told apart by."""
COLUMNS = (
    "toUnixTimestamp(s.ended_at) AS t",
    "toString(s.record_id) AS id",
    *(f"toString(s.{name}) AS {name}" for name in ("endpoint", "model", "outcome", "phase")),
    *(f"s.{name}_us / 1000000 AS {name}" for name in ("ttft", "tpot", "icl_max", "e2e")),
    *("s.tokens_in AS tokens_in", "s.tokens_out AS tokens_out", "toString(s.replica) AS replica"),
    "if(s.trace_id = toFixedString('', 16), NULL, lower(hex(s.trace_id))) AS trace",
)
"""Columns of a row."""
NEWEST_FIRST = ("s.ended_at DESC", "s.record_id DESC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Which of the requests of a window.

    Attributes:
        outcomes: Only these classes; none: all.
        metric: The duration that the bounds are of.
        low_s: Least duration, seconds, included; None: no bound.
        high_s: Largest, excluded; None: no bound.
        before: End, unix milliseconds, and id of the row after which it goes on; None: from the newest.
    """

    outcomes: tuple[str, ...] = ()
    metric: Metric = Metric.TTFT
    low_s: float | None = None
    high_s: float | None = None
    before: tuple[int, UUID] | None = None

    def conditions(self) -> list[str]:
        """Return what must hold of a row."""
        found = ["s.outcome IN {outcomes:Array(String)}"] if self.outcomes else []
        if self.low_s is not None:
            found.append(f"s.{self.metric.value}_us >= {{low_s:Float64}} * 1000000")
        if self.high_s is not None:
            found.append(f"s.{self.metric.value}_us < {{high_s:Float64}} * 1000000")
        if self.before is not None:
            found.append("(toUnixTimestamp64Milli(s.ended_at), s.record_id) < ({before_ms:Int64}, {before_id:UUID})")
        return found

    def parameters(self) -> dict[str, object]:
        """Return the values of that."""
        named: dict[str, object] = {"outcomes": list(self.outcomes) or None, "low_s": self.low_s, "high_s": self.high_s}
        if self.before is not None:
            named |= {"before_ms": self.before[0], "before_id": str(self.before[1])}
        return {name: value for name, value in named.items() if value is not None}


def request_rows(asked: Asked, box: Box, limit: int = REQUEST_ROWS_MAX, columns: Sequence[str] = COLUMNS) -> Question:
    """Ask for requests, newest first.

    Rows: `t` (end, unix seconds), `id`, `endpoint`, `model`, `outcome`, `phase`, `ttft`, `tpot`, `icl_max`, `e2e`
    (seconds; NULL if unknown), `tokens_in`, `tokens_out`, `replica`, `trace` (hexadecimal; NULL without one).

    Args:
        asked: Window and filters; `by` and `step_s` do not matter.
        box: Which of them.
        limit: Rows.
        columns: What is told of each.

    Raises:
        ValueError: The limit is none.
    """
    if not 0 < limit <= REQUEST_ROWS_MAX:
        raise ValueError(f"{limit} requests; allowed are 1 to {REQUEST_ROWS_MAX}")
    pick = _raw(asked)
    found = Select(
        columns=columns,
        source=table(pick),
        where=[*conditions(asked, pick), *box.conditions(), *_newest(asked, box)],
        order_by=NEWEST_FIRST,
        tail="LIMIT {most:UInt32}",
    )
    return Question(sql=found.text(), parameters=parameters(asked, pick) | box.parameters() | {"most": limit})


def request_facets(asked: Asked, box: Box) -> Question:
    """Ask which values are more common among the bad requests than among all.

    Rows: `facet`, `value`, `n`, `share_of_all`, and of the bad ones `share_of_bad` and `lift`, the difference (both
    NULL if there are none); the largest lift first.

    Args:
        asked: Window and filters; `by` and `step_s` do not matter.
        box: Which of them.
    """
    pick = _raw(asked)
    # Each facet is a key of its own: groups of all of them together would cost more than twice as much.
    facet = ", ".join(f"grouping(s.{name}) = 0, '{name}'" for name in FACETS)
    counted = Select(
        columns=[
            f"multiIf({facet}, '') AS facet",
            f"concat({', '.join(f's.{name}' for name in FACETS)}) AS value",  # all but one are empty
            *("count() AS n", "countIf(s.eligible = 'bad') AS bad"),
        ],
        source=table(pick),
        where=[*conditions(asked, pick), *box.conditions()],
        group_by=[f"GROUPING SETS ({', '.join(f'(s.{name})' for name in FACETS)})"],
    )
    shared = Select(
        # Every request has an outcome, so these are all requests.
        columns=["*", *(f"sum(if(facet = 'outcome', {one}, 0)) OVER () AS {one}_all" for one in ("n", "bad"))],
        source=counted,
        where=["value != ''"],
    )
    found = Select(
        columns=[
            *("facet", "value", "n", "n / n_all AS share_of_all"),
            "if(bad_all = 0, NULL, bad / bad_all) AS share_of_bad",
            "if(bad_all = 0, NULL, bad / bad_all - n / n_all) AS lift",
        ],
        source=shared,
        order_by=["lift DESC", "n DESC", "facet", "value"],
        tail=f"LIMIT {FACETS_MAX}",
    )
    return Question(sql=found.text(), parameters=parameters(asked, pick) | box.parameters())


def _newest(asked: Asked, box: Box) -> list[str]:
    """Return the condition that leaves out hours which are too old, since later ones have rows enough."""
    until_ms = asked.until_ms if box.before is None else min(asked.until_ms, box.before[0])
    is_some = bool(box.outcomes) or (box.low_s, box.high_s) != (None, None)
    if is_some or not asked.dims <= ROLLED_DIMS or until_ms - asked.since_ms < _HOURS_MIN_MS:
        return []
    pick = Pick(source=Source.R_1H, exact=True, since_ms=asked.since_ms, until_ms=until_ms)
    until = "{until:Int64}" if box.before is None else "least({until:Int64}, {before_ms:Int64})"
    # Only hours that lie whole in the window: of the others it is not known how many are meant.
    hours = Select(
        columns=["t", "sum(s.n) AS of_hour"],
        source=table(pick),
        where=[*conditions(asked, pick), f"t < toStartOfHour(fromUnixTimestamp64Milli({until}))"],
        group_by=["t"],
    )
    sums = Select(columns=["t", "sum(of_hour) OVER (ORDER BY t DESC) AS so_far"], source=hours)
    enough = Select(columns=["max(t)"], source=sums, where=["so_far >= {most:UInt32}"])
    return [f"toStartOfMinute(s.ended_at) >= (\n{enough.text()}\n)"]


_HOURS_MIN_MS = 3_600_000
"""Shortest time that is worth a look at its hours."""


def _raw(asked: Asked) -> Pick:
    return Pick(source=Source.RAW, exact=True, since_ms=asked.since_ms, until_ms=asked.until_ms)
