"""Knows how cold starts become rows of a panel: each one by phase, and above them what the lead time comes from.

It refuses to measure, and to name what grew. A word on a phase is of the nearest start of that replica, as in
`slo.scaling.cold_start`; a test holds the two together.

Error: nearest rank, so P90 of 20 is the third largest, and of fewer than 10 the largest.

Source: spec/scaling.md 6.9 (P50/P90 of the last 20, per phase); spec/store.md 3 (cold_starts).
"""

from collections.abc import Iterable

from dashboards.asks_engine import parameters
from telemetry.percentile import P50, P90
from telemetry.queries.asked import Asked, Pick
from telemetry.queries.question import Question, Select

PHASES = ("ready", "schedule", "image", "weights", "init", "stable")
"""What is measured of a start, all of it first."""
WORDS_MAX = 2_000
"""Words on starts of one target that are read, newest first."""
SHOWN_MAX = 100
"""Starts of one target that are shown, newest first."""
OF_TARGET = "(empty({only_endpoint:Array(String)}) OR s.target IN {only_endpoint:Array(String)})"
"""Which rows are meant where there are no endpoints, but targets of hints."""

_LAST = 20
_KEPT_MS, _NEAR_MS = 30 * 86_400_000, 4 * 3_600_000
_PPM = 1_000_000
_PERCENTILES = f"[(0, 'P90', {P90}), (1, 'P50', {P50})]"


def starts(asked: Asked, _pick: Pick) -> Question:
    """Ask for the starts of the 30 days before the end of the window, whenever that begins: they are rare."""
    return Question(sql=_STARTS, parameters=parameters(asked))


def _each(*texts: str, of: Iterable[str] = PHASES) -> list[str]:
    return [text.format(phase) for phase in of for text in texts]


_OF_REPLICA = "PARTITION BY target, replica ORDER BY at_ms ROWS BETWEEN"
_WORDS = Select(
    columns=[
        *("toString(s.target) AS target", "toString(s.replica) AS replica", "toUnixTimestamp64Milli(s.at) AS at_ms"),
        *_each("s.{0}_us AS {0}_us"),
        *("s.failed AS failed", "isNotNull(s.ready_us) AS is_whole"),
    ],
    source="inferometer.cold_starts AS s",
    where=[
        f"s.at >= fromUnixTimestamp64Milli({{until:Int64}} - {_KEPT_MS})",
        "s.at < fromUnixTimestamp64Milli({until:Int64})",
        OF_TARGET,
    ],
    order_by=["s.at DESC", "target", "replica", *_each("{0}_us")],
    tail=f"LIMIT {WORDS_MAX} BY target",
)
_ANCHORED = Select(
    given=["if(at_ms - before_ms <= abs(after_ms - at_ms), before_ms, after_ms) AS start_ms"],
    columns=["*", "start_ms", f"is_whole OR (replica != '' AND abs(at_ms - start_ms) <= {_NEAR_MS}) AS is_told"],
    source=Select(
        columns=[
            "*",
            # Without one they are 0: decades away.
            f"maxIf(at_ms, is_whole) OVER ({_OF_REPLICA} UNBOUNDED PRECEDING AND CURRENT ROW) AS before_ms",
            f"minIf(at_ms, is_whole) OVER ({_OF_REPLICA} CURRENT ROW AND UNBOUNDED FOLLOWING) AS after_ms",
            # Of replicas that nobody knows apart several may come at once.
            "row_number() OVER (PARTITION BY target, replica, at_ms, is_whole) AS place",
        ],
        source="words",
        where=["NOT failed"],
    ),
)
_TOLD = Select(
    columns=[
        *("target", "replica", "start_ms", "anyIf(w.ready_us, is_whole) AS ready_us"),
        "anyIf(w.init_us, is_whole) AS seen_us",
        *_each("argMaxIf(w.{0}_us, (w.at_ms, ifNull(w.{0}_us, 0)), NOT is_whole) AS {0}_told_us", of=PHASES[1:]),
    ],
    source=f"(\n{_ANCHORED.text()}\n) AS w",
    where=["is_told"],
    group_by=["target", "replica", "start_ms", "if(is_whole, place, 1)"],
)
_FOUND = Select(
    # The life of the process holds the weights: whoever tells these tells a part of it.
    given=["greatest(toInt64(assumeNotNull(seen_us)) - toInt64(ifNull(weights_told_us, 0)), 0) AS rest_us"],
    columns=[
        *("target", "replica", "start_ms", "ready_us / 1e6 AS ready"),
        *_each("{0}_told_us / 1e6 AS {0}", of=("schedule", "image", "weights", "stable")),
        "multiIf(isNotNull(init_told_us), init_told_us, isNull(seen_us), NULL, rest_us) / 1e6 AS init",
    ],
    source=_TOLD,
)
_NEWEST = (
    f"arraySlice(arraySort(groupArrayIf((start_ms, assumeNotNull({{0}})), isNotNull({{0}}))), -{_LAST}) AS newest_{{0}}"
)
_LASTS = Select(
    columns=["target", *_each("arraySort(arrayMap(start -> start.2, newest_{0})) AS last_{0}")],
    source=Select(columns=["target", *_each(_NEWEST)], source="found", group_by=["target"]),
)
_COUNTED = _each("if(length(last_{0}) IN (0, length(last_ready)), '', concat('{0} of ', toString(length(last_{0}))))")
_RANK = f"intDiv(one.3 * length(last_{{0}}) + {_PPM - 1}, {_PPM})"
"""As `telemetry.percentile.rank`."""
_SUMMED = Select(
    columns=[
        *(f"arrayJoin({_PERCENTILES}) AS one", "one.1 AS place", "target"),
        "concat(one.2, ' of the last ', toString(length(last_ready))) AS start",
        "CAST(NULL, 'Nullable(Int64)') AS at",
        *_each(f"if(empty(last_{{0}}), NULL, last_{{0}}[{_RANK}]) AS {{0}}"),
        f"arrayStringConcat(arrayFilter(text -> text != '', [{', '.join(_COUNTED)}]), ', ') AS note",
    ],
    source=_LASTS,
)
_SHOWN = ("place", "target", "start", "at", *PHASES, "note")
_UNNAMED = "if(replica = '', '(no name)', replica) AS start"
_ONES = Select(
    columns=[*("2 AS place", "target", _UNNAMED, "intDiv(start_ms, 1000) AS at"), *PHASES, "'' AS note"],
    source="found",
)
_FAILED = Select(
    columns=[
        *("2 AS place", "target", _UNNAMED, "intDiv(at_ms, 1000) AS at"),
        *_each("CAST(NULL, 'Nullable(Float64)') AS {0}"),
        "'never ready: given up' AS note",
    ],
    source="words",
    where=["failed"],
)
_STARTS = Select(
    given=[f"words AS (\n{_WORDS.text()}\n)", f"found AS (\n{_FOUND.text()}\n)"],
    columns=["start", "at", "target", *PHASES, "note"],
    source="(\n"
    + "\nUNION ALL\n".join(Select(columns=_SHOWN, source=one).text() for one in (_SUMMED, _ONES, _FAILED))
    + "\n)",
    order_by=["target", "place", "at DESC", "start"],
    tail=f"LIMIT {SHOWN_MAX} BY target, place",
).text()
