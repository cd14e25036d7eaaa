"""Tests of telemetry.queries.definitions over a real store."""

import hashlib

from query_store import Stored

from telemetry.queries.definitions import REVISIONS_MAX, definitions


def revision(slo: str, n: int) -> dict[str, object]:
    return {
        "slo": slo,
        "revision": n,
        "definition_hash": 2**64 - n,
        "effective_at": n,
        "active": n % 2,
        "source_yaml": f"text {n}",
    }


def test_the_last_revisions_of_each_objective_are_told_newest_first(stored: Stored) -> None:
    hostile = "'; DROP TABLE x {x:String}"
    stored.insert_rows(
        "slo_definitions",
        [*(revision("many", n) for n in range(1, REVISIONS_MAX + 2)), revision(hostile, 1), revision("unasked", 1)],
    )
    rows = stored.rows(definitions([hostile, "many", "unknown"]))
    many = [row for row in rows if row["slo"] == "many"]

    assert [row["slo"] for row in rows if row not in many] == [hostile]
    assert [row["revision"] for row in many] == list(range(REVISIONS_MAX + 1, 1, -1))
    assert many[-1] == {
        "slo": "many",
        "revision": 2,
        "definition_hash": 2**64 - 2,
        "active": 0,
        "source_sha256": hashlib.sha256(b"text 2").hexdigest(),
    }
