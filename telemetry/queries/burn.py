"""Knows how to sum the counts of many objectives over many windows in one question; refuses to know targets.

Buckets are immutable; late rows bring a later revision of a bucket, of which the last one holds. Nearly all buckets
have one revision, so all rows of revision 0 are summed, and the few buckets that have more are corrected by their last
revision less their first. The windows are nested, so each bucket falls into one ring between two of them, and a
window is the sum of its rings.

Error: none, integers are added and nothing is divided. A bucket that was written twice in one revision would count
twice; the insert token (hash of bucket, revision and definitions) prevents that.

Source: spec/store.md 4.5 (`slo_minutes`, revisions); spec/slo.md 4 (sums of buckets), 5 (windows), 8 (instants).
"""

from collections.abc import Sequence

from telemetry.queries.question import PAGE_S, Question, Select

WINDOWS_MAX = 16
"""Windows of one question."""
BURN_OBJECTIVES_MAX = 1_000
"""Objectives of one question."""
BURN_WINDOWS_S = (300, 1_800, 3_600, 7_200, 21_600, 86_400, 259_200, 2_592_000)
"""The windows of the default catalogue for 30 days, and the period itself (spec/slo.md 5)."""


def burn_inputs(at_s: int, windows_s: Sequence[int] = BURN_WINDOWS_S, objectives: Sequence[str] = ()) -> Question:
    """Ask for what burn rates and budgets are made of, in every window that ends at an instant.

    Rows: `slo`, `group_key`, `definition_hash`, and arrays with one entry per window: `eligible`, `bad`, `n` (buckets
    counted). Sums of windows (at - w, at].

    Args:
        at_s: The instant, unix seconds, a multiple of the bucket; a bucket belongs to it once it has ended.
        windows_s: Lengths, ascending.
        objectives: Only these; none means all.

    Raises:
        ValueError: The windows do not ascend, or there are none or too many windows or objectives.
    """
    if not 0 < len(windows_s) <= WINDOWS_MAX or sorted({*windows_s} - {0}) != list(windows_s):
        raise ValueError(f"windows {list(windows_s)} must ascend, 1 to {WINDOWS_MAX} of them")
    if len(objectives) > BURN_OBJECTIVES_MAX:
        raise ValueError(f"{len(objectives)} objectives; allowed are {BURN_OBJECTIVES_MAX}")
    values = {
        "at": at_s,
        # A bucket's age is counted from its start: one that starts w before the instant is the last of window w.
        "ages": [0, *(window + 1 for window in windows_s[:-1])],
        "longest": windows_s[-1],
        "n_windows": len(windows_s),
        "slos": list(objectives),
    }
    return Question(sql=_BURN, parameters=values, seconds_max=PAGE_S)


_WITHIN = (
    "t >= toDateTime({at:Int64} - {longest:Int64})",
    "t < toDateTime({at:Int64})",
    "(empty({slos:Array(String)}) OR slo IN {slos:Array(String)})",
)
_RING = "roundDown(toUInt32({at:Int64} - toUnixTimestamp(t)), {ages:Array(UInt32)}) AS age"
_BUCKET = ("slo", "group_key", "definition_hash", "t")
_REVISED = Select(
    columns=["slo", "group_key", "t"],
    source="inferometer.slo_minutes",
    where=[*_WITHIN, "revision > 0"],
)
_CORRECTIONS = Select(
    columns=[
        *("slo", "group_key", "definition_hash"),
        _RING,
        "toInt64(argMax(s.eligible, s.revision)) - toInt64(argMin(s.eligible, s.revision)) AS eligible",
        "toInt64(argMax(s.good, s.revision)) - toInt64(argMin(s.good, s.revision)) AS good",
        "toInt64(0) AS n",
    ],
    source="inferometer.slo_minutes AS s",
    where=[*_WITHIN, f"(slo, group_key, t) IN (\n{_REVISED.text()}\n)"],
    group_by=_BUCKET,
)
_FIRST = Select(
    columns=[
        *("slo", "group_key", "definition_hash"),
        _RING,
        "toInt64(sum(s.eligible)) AS eligible",
        "toInt64(sum(s.good)) AS good",
        "toInt64(count()) AS n",
    ],
    source="inferometer.slo_minutes AS s",
    where=[*_WITHIN, "revision = 0"],
    group_by=["slo", "group_key", "definition_hash", "age"],
)
_PLACE = "indexOf({ages:Array(UInt32)}, age)"
_WINDOW_SUMS = [
    f"arrayMap(i -> arraySum((v, at) -> if(at <= i, v, 0), groupArray({what}), groupArray({_PLACE})),"
    f" range(1, {{n_windows:UInt32}} + 1)) AS {name}"
    for name, what in (("eligible", "rings.eligible"), ("bad", "rings.eligible - rings.good"), ("n", "rings.n"))
]
_BURN = Select(
    columns=["slo", "group_key", "definition_hash", *_WINDOW_SUMS],
    source=f"(\n{_FIRST.text()}\nUNION ALL\n{_CORRECTIONS.text()}\n) AS rings",
    group_by=["slo", "group_key", "definition_hash"],
    order_by=["slo", "group_key", "definition_hash"],
).text()
