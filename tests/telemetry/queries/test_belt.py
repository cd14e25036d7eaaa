"""Copies, holes and missing roll-ups, put into a real store."""

from collections.abc import Iterable

import msgspec
import pytest
from query_store import HOUR_MS, SINCE_MS, UNTIL_MS, Stored

from telemetry.queries.belt import SEQ_JUMP, identities, rollup_differences
from telemetry.record import RequestBatch
from telemetry.spool import SEQ_JUMP as JUMP_OF_A_START

AT_MS = SINCE_MS - 30 * HOUR_MS
"""An hour that no other test knows."""


def insert(stored: Stored, collector: str, seqs: Iterable[int], at_ms: int = AT_MS, **changed: object) -> None:
    numbers = tuple(seqs)
    one = msgspec.structs.replace(stored.records[0], endpoint="belt", **changed)
    records = tuple(msgspec.structs.replace(one, ended_at=at_ms + at) for at in range(len(numbers)))
    batch = RequestBatch(collector=collector, seqs=numbers, records=records)
    stored.writer.insert_requests(batch, f"{collector}-{numbers}-{at_ms}")


def found(stored: Stored, collector: str, since_ms: int, until_ms: int) -> tuple[object, ...]:
    rows = [row for row in stored.rows(identities(since_ms, until_ms)) if row["collector"] == collector]
    return tuple(tuple(row[name] for name in ("n", "duplicates", "gaps", "gap_unix_ms")) for row in rows)


@pytest.mark.parametrize(
    ("name", "seqs", "expected"),
    [
        pytest.param("whole", range(1, 9), (8, 0, 0, None), id="all there"),
        pytest.param("twice", (1, 2, 2, 3, 3, 3), (6, 3, 0, None), id="copies"),
        pytest.param("holes", (1, 4, 5, 7), (4, 0, 3, AT_MS), id="holes"),
        pytest.param("far", (65_530, 65_540, 65_541), (3, 0, 9, AT_MS), id="a hole across two blocks"),
        pytest.param("boot", (5, 4 + JUMP_OF_A_START, 5 + JUMP_OF_A_START), (3, 0, 1048574, AT_MS), id="below a start"),
        pytest.param("start", (5, 5 + JUMP_OF_A_START, 6 + JUMP_OF_A_START), (3, 0, 0, None), id="a start"),
    ],
)
def test_copies_and_holes_are_counted(stored: Stored, name: str, seqs: Iterable[int], expected: object) -> None:
    insert(stored, f"n/{name}", seqs)

    assert (expected,) == found(stored, f"n/{name}", AT_MS, AT_MS + HOUR_MS)
    assert () == found(stored, f"n/{name}", AT_MS + HOUR_MS, AT_MS + 2 * HOUR_MS)


def test_the_edges_of_a_window_are_no_holes(stored: Stored) -> None:
    insert(stored, "n/edges", (1, 3, 5), AT_MS)  # before the window, though two numbers are within its own
    insert(stored, "n/edges", (2, 4, 6), AT_MS + 60_000)

    assert ((5, 0, 0, None),) == found(stored, "n/edges", AT_MS + 60_000, AT_MS + HOUR_MS)


def test_holes_of_a_spool_with_other_lanes_say_nothing(stored: Stored) -> None:
    insert(stored, "n/probe", (1, 9, 9), traffic="probe")

    assert ((3, 1, None, None),) == found(stored, "n/probe", AT_MS, AT_MS + HOUR_MS)
    insert(stored, "n/beats", (1, 9))
    assert ((2, 0, 7, AT_MS),) == found(stored, "n/beats", AT_MS, AT_MS + HOUR_MS)
    stored.insert_rows("heartbeats", [{"ts": AT_MS / 1000, "collector": "n/beats", "boot": 1}])
    assert ((2, 0, None, None),) == found(stored, "n/beats", AT_MS, AT_MS + HOUR_MS)


def test_a_start_is_what_the_spool_calls_one() -> None:
    assert JUMP_OF_A_START == SEQ_JUMP


def test_hours_whose_roll_ups_count_their_rows_are_not_told(stored: Stored) -> None:
    """Those that do not are made in tests/inferometer/test_rebuild.py, where the tables can be reached."""
    assert [] == stored.rows(rollup_differences(SINCE_MS, UNTIL_MS))
