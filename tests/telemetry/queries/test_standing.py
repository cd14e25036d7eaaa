"""Markers stand until a second row withdraws them, whichever question asks."""

import pytest
from query_store import SINCE_MS, Stored

from telemetry.queries import told
from telemetry.queries.around import marked
from telemetry.queries.standing import WITHDRAWN
from telemetry.schema.details import MARKERS

AT_MS = SINCE_MS - 9_000_000


def marker(at_ms: int, text: str, kind: str = "deploy", endpoint: str = "standing") -> tuple[object, ...]:
    values = {
        "at": at_ms, "end": None if text == "instant" else at_ms + 1_000, "kind": kind, "service": "s",
        "endpoint": endpoint, "version": "v", "actor": "ci", "automated": 1, "text": text,
    }  # fmt: skip
    return tuple(values[column.name] for column in MARKERS.insert_columns)


@pytest.fixture(scope="module")
def world(stored: Stored) -> Stored:
    rows = [marker(AT_MS + at, text) for at, text in enumerate(("gone", "instant", "stands", "stands"))]
    rows += [marker(AT_MS, "gone", f"{WITHDRAWN}deploy"), marker(AT_MS + 1, "instant", f"{WITHDRAWN}deploy")]
    rows += [marker(AT_MS + 2, "stands", f"{WITHDRAWN}scale"), marker(AT_MS, "gone", endpoint="another")]
    stored.writer.insert_rows(MARKERS, rows, "standing")
    return stored


def test_what_was_withdrawn_is_not_told_and_what_only_looks_like_it_is(world: Stored) -> None:
    rows = world.rows(told.markers(AT_MS, AT_MS + 10))

    assert [(row["text"], row["endpoint"], row["kind"]) for row in rows] == [
        ("stands", "standing", "deploy"), ("stands", "standing", "deploy"), ("gone", "another", "deploy"),
    ]  # fmt: skip


def test_nor_does_it_explain_anything(world: Stored) -> None:
    rows = world.rows(marked(["standing"], AT_MS, AT_MS + 10))

    assert {row["text"] for row in rows} == {"stands"}
