"""Questions about starts of replicas, over a real store; what is made of them is tested in tests/slo."""

import pytest
from query_store import SINCE_MS, Stored

from telemetry.queries import cold_starts as asked
from telemetry.schema.hints import COLD_STARTS

PHASES = ("schedule", "image", "weights", "init", "ready", "stable")


def row(at_ms: int, target: str, replica: str, **values: int) -> tuple[object, ...]:
    of: dict[str, object] = {f"{phase}_us": None for phase in PHASES}
    of |= {"at": SINCE_MS + at_ms, "target": target, "replica": replica, "failed": 0, **values}
    return tuple(of[column.name] for column in COLD_STARTS.insert_columns)


def test_words_of_a_time_come_newest_first_and_not_without_end(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(at, "told", f"r{at}", image_us=at) for at in range(5)]
    rows += [row(2, "also", "x", failed=1), row(2, "other", "y")]
    stored.writer.insert_rows(COLD_STARTS, rows, "cold-words")
    monkeypatch.setattr(asked, "WORDS_MAX", 2)
    found = stored.rows(asked.words(SINCE_MS + 1, SINCE_MS + 4, ["told", "also"]))

    assert ["r3", "r2"] == [one["replica"] for one in found if one["target"] == "told"]
    assert (3, None, SINCE_MS + 3, 0) == tuple(
        found[0][name] for name in ("image_us", "ready_us", "at_unix_ms", "failed")
    )
    assert [("x", 1)] == [(one["replica"], one["failed"]) for one in found if one["target"] == "also"]


def test_without_requests_nothing_was_served(stored: Stored) -> None:
    question = asked.served_well(SINCE_MS, SINCE_MS + 1, "nowhere", "r", 50, (None, None))

    assert [{"n": 0, "ended_unix_ms": 0}] == stored.rows(question)
