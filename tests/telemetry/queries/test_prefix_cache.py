"""What caches saved around markers, against the rows themselves."""

import msgspec
from query_store import HOUR_MS, Stored
from query_store import SINCE_MS as STORED_SINCE_MS

from telemetry.queries.prefix_cache import MARKS_MAX, hits_around_marks
from telemetry.queries.question import Question
from telemetry.record import RequestRecord

BACK_MS = 12 * 24 * HOUR_MS
"""How long before the rows that all tests share those of this one are."""
SINCE_MS = STORED_SINCE_MS - BACK_MS
MARK_MS = SINCE_MS + HOUR_MS + 600_000
UNTIL_MS = SINCE_MS + 2 * HOUR_MS + 1_800_000
MARKS_FROM_MS = SINCE_MS - 20 * HOUR_MS


def band(one: RequestRecord) -> int:
    return 1 << (one.tokens_in or 0).bit_length() - 1


def test_the_hours_around_a_marker_are_counted_by_length(stored: Stored) -> None:
    own = [
        msgspec.structs.replace(
            one,
            endpoint="cached",
            ended_at=one.ended_at - BACK_MS,
            tokens_cache_read=one.tokens_in and one.tokens_in // at,
        )
        for at, one in enumerate(stored.records[:1_800], 2)
        if one.tokens_out
    ]
    stored.insert("n/cached", own)
    stored.insert_rows("markers", [{"at": MARK_MS / 1000, "kind": "deploy", "endpoint": "cached", "version": "v9"}])

    rows = [
        row
        for row in stored.rows(hits_around_marks(SINCE_MS, UNTIL_MS))
        if (row["endpoint"], row["model"]) == ("cached", "small")
    ]

    spans = {
        "before": (MARK_MS - HOUR_MS, MARK_MS),
        "first": (MARK_MS, MARK_MS + HOUR_MS),
        "last": (UNTIL_MS - HOUR_MS, UNTIL_MS),
    }
    known = [one for one in own if one.tokens_in is not None and one.model == "small"]
    assert {0, 64, 512, 8192} == {row["band"] for row in rows}
    untold = [one for one in own if one.tokens_in is None and one.model == "small"]
    assert {0: sum(MARK_MS - HOUR_MS <= one.ended_at < UNTIL_MS for one in untold)} == {
        row["band"]: row["untold"] for row in rows if row["untold"]
    }
    for row in rows:
        assert (MARK_MS, "deploy", "v9") == (row["mark_unix_ms"], row["kind"], row["version"])
        for name, (since_ms, until_ms) in spans.items():
            members = [
                one
                for one in known
                if since_ms <= one.ended_at < until_ms and 1 << (one.tokens_in or 0).bit_length() - 1 == row["band"]
            ]
            counts = (
                len(members),
                sum(one.tokens_in or 0 for one in members),
                sum(one.tokens_cache_read or 0 for one in members),
            )
            assert counts == tuple(row[f"{what}_{name}"] for what in ("n", "tokens", "hits"))


def test_only_the_three_hours_of_a_marker_are_read(stored: Stored) -> None:
    mark_ms, until_ms = (MARKS_FROM_MS + hours * HOUR_MS for hours in (48, 54))
    ends = {
        "before": mark_ms - 1,
        "first": mark_ms + HOUR_MS - 1,
        "between": mark_ms + 3 * HOUR_MS,
        "last": until_ms - 1,
    }
    own = [
        msgspec.structs.replace(one, endpoint="three", model="m", ended_at=at_ms, tokens_in=None)
        for one, at_ms in zip(stored.records, ends.values(), strict=False)
    ]
    stored.insert("n/three", own)
    stored.insert_rows("markers", [{"at": mark_ms / 1000, "kind": "deploy", "endpoint": "three", "version": "v1"}])

    asked = hits_around_marks(mark_ms - HOUR_MS, until_ms)
    [row] = stored.rows(asked)
    text = stored.rows(Question(sql="EXPLAIN indexes = 1 " + asked.sql, parameters=asked.parameters))
    plan = "\n".join(str(row["explain"]) for row in text)

    assert 3 == row["untold"], "the one between is in none of them"
    for until_s in (mark_ms // 1000 + 3600, until_ms // 1000):
        assert f"(toStartOfMinute(ended_at) in (-Inf, {until_s}])" in plan


def test_the_newest_markers_are_looked_at(stored: Stored) -> None:
    (one, *_) = stored.records
    ended_at = MARKS_FROM_MS + 2 * HOUR_MS
    row = msgspec.structs.replace(one, endpoint="marked", ended_at=ended_at, tokens_in=10, tokens_cache_read=5)
    stored.insert("n/marked", [row])
    marks = [
        {"at": (MARKS_FROM_MS + at * 1_000) / 1000, "kind": "config", "endpoint": "marked", "version": str(at)}
        for at in range(MARKS_MAX + 5)
    ]
    stored.insert_rows("markers", marks)

    rows = stored.rows(hits_around_marks(MARKS_FROM_MS, ended_at + 1))

    assert [str(at) for at in reversed(range(5, MARKS_MAX + 5))] == [row["version"] for row in rows]
    assert {1} == {row["n_last"] for row in rows}
