"""Knows how it is said what GPUs and engines did around an alert, and what changed before it; refuses to blame them.

Source: spec/slo.md 12 (`gpu`, `engine`, `changes`); `telemetry.queries.around` for the rows; nvidia-ml-py 13,
pynvml.py, `nvmlClocksEventReason*` for the bits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from slo.explain_words import LISTED_MAX, Part, clean, listed, rounded, share, thing
from slo.sight import Row

THROTTLES: Mapping[int, str] = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "heat (software)",
    0x40: "heat (hardware)",
    0x80: "power brake",
}
"""Bits that mean a held clock; the others, such as idle, are no throttling."""


def gpu(rows: Sequence[Row]) -> Part:
    """Say what the GPUs did, given the answer to `gpus`; those that throttle or report an error are named first."""
    found = sorted(rows, key=lambda row: not _is_odd(row))  # stable: else in the order of the answer
    facts = [
        {
            **{name: clean(str(row[name])) for name in ("endpoint", "replica", "node", "gpu_uuid")},
            **{name: row[name] for name in ("gpu_index", "sm_mhz_min", "sm_max_mhz", "xid")},
            **{name: rounded(row[name]) for name in ("util_ratio", "sm_ratio", "temp_c_max", "throttled_ratio")},
            "throttle": _throttles(row),
        }
        for row in found[:LISTED_MAX]
    ]
    return Part(words=listed([_gpu_words(row) for row in found], "; ", "no GPU was sampled"), facts=facts)


def engine(rows: Sequence[Row]) -> Part:
    """Say what the engines did, given the answer to `engines`."""
    facts = [
        {
            **{name: clean(str(row[name])) for name in ("endpoint", "replica")},
            **{name: row[name] for name in ("n", "n_up", "running_max", "queued_max", "preemptions", "rejections")},
            "kv_used_ratio_max": rounded(row["kv_used_ratio_max"]),
        }
        for row in rows[:LISTED_MAX]
    ]
    return Part(words=listed([_engine_words(row) for row in rows], "; ", "no engine was asked"), facts=facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that changed before an alert.

    Attributes:
        at_ms: When, unix milliseconds.
        kind: What changed, in one word.
        words: The same for a person.
    """

    at_ms: int
    kind: str
    words: str


def of_markers(rows: Sequence[Row]) -> list[Change]:
    """Read the answer to `marked`."""
    return [
        Change(at_ms=int(row["at_unix_ms"]), kind=clean(str(row["kind"])), words=_marker_words(row)) for row in rows
    ]


def of_engines(rows: Sequence[Row]) -> list[Change]:
    """Read the answer to `engine_changes`."""
    return [
        Change(
            at_ms=int(row["at_unix_ms"]),
            kind=str(row["what"]),
            words=f"{thing('replica', str(row['replica']))}: {_WHAT[str(row['what'])]}"
            + ("" if row["what"] == "config_hash" else f" {clean(str(row['was']))} became {clean(str(row['became']))}"),
        )
        for row in rows
    ]


def of_replicas(rows: Sequence[Row]) -> list[Change]:
    """Read the answer to `replica_changes`."""
    said = {"came": "came", "gone": "was heard last"}
    return [
        Change(
            at_ms=int(row["at_unix_ms"]),
            kind=f"replica_{row['what']}",
            words=f"{thing('replica', str(row['replica']))} {said[str(row['what'])]}",
        )
        for row in rows
    ]


def of_newcomers(rows: Sequence[Row]) -> list[Change]:
    """Read the answer to `newcomers`."""
    return [
        Change(
            at_ms=int(row["at_unix_ms"]),
            kind=f"new_{row['what']}",
            words=f"first request for a day with {thing(str(row['what']), str(row['became']))}",
        )
        for row in rows
    ]


def changes(found: Sequence[Change], at_s: int) -> Part:
    """Say what changed in the hour before an instant, newest first."""
    ordered = sorted(found, key=lambda one: (-one.at_ms, one.kind, one.words))
    said = [
        f"{_clock(one.at_ms)} UTC ({(at_s * 1000 - one.at_ms) // 60_000} min before): {one.words}" for one in ordered
    ]
    facts = [{"at": one.at_ms / 1000, "kind": one.kind, "words": one.words} for one in ordered[:LISTED_MAX]]
    return Part(words=listed(said, "; ", "none known in the last 60 min"), facts=facts)


_WHAT = {
    "config_hash": "its configuration changed",
    "model": "model",
    "engine": "engine",
    "sleep_state": "sleep state",
}


def _is_odd(row: Row) -> bool:
    return bool(row["throttled_ratio"] or row["xid"])


def _throttles(row: Row) -> list[str]:
    return [name for bit, name in THROTTLES.items() if int(row["throttle_bits"] or 0) & bit]


def _gpu_words(row: Row) -> str:
    whose = thing("replica", str(row["replica"])) if row["replica"] else "nobody known runs on it"
    said = [
        f"utilisation {_ratio(row['util_ratio'])}",
        f"SM active {_ratio(row['sm_ratio'])}",
        "throttling unread"
        if row["throttled_ratio"] is None
        else f"throttled {_ratio(row['throttled_ratio'])} of the time ({', '.join(_throttles(row))})"
        if row["throttled_ratio"]
        else "not throttled",
        f"Xid {row['xid']}" if row["xid"] else "no Xid",
    ]
    return f"GPU {row['gpu_index']} of {clean(str(row['node']))} ({whose}): {', '.join(said)}"


def _engine_words(row: Row) -> str:
    if not row["n_up"]:
        return f"{thing('replica', str(row['replica']))}: did not answer {row['n']} times"
    known = {
        "queue": row["queued_max"],
        "running": row["running_max"],
        "KV cache": None if row["kv_used_ratio_max"] is None else share(float(row["kv_used_ratio_max"])),
        "preemptions": row["preemptions"],
        "rejections": row["rejections"] or None,
    }
    said = ", ".join(f"{name} {value}" for name, value in known.items() if value is not None) or "answers, says nothing"
    return f"{thing('replica', str(row['replica']))}: {said}"


def _marker_words(row: Row) -> str:
    what = " ".join(clean(str(row[name])) for name in ("kind", "service", "version") if row[name])
    who = f" by {clean(str(row['actor']))}" if row["actor"] else ""
    text = f" ({clean(str(row['text']))})" if row["text"] else ""
    return f"{what}{who}{text}"


def _ratio(value: float | None) -> str:
    return "unknown" if value is None else share(value)


def _clock(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms // 1000, UTC):%H:%M:%S}"
