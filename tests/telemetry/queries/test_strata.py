"""Strata and fine buckets of the store, against the same arithmetic here."""

import math

from query_store import Stored

from telemetry.queries.question import Question, Select
from telemetry.queries.strata import PER_DOUBLING, STRATUM, STRATUM_KEYS, fine


def selected(stored: Stored, columns: list[str], source: str) -> list[dict[str, object]]:
    return stored.rows(Question(sql=Select(columns=columns, source=source).text()))


def test_a_duration_falls_into_its_bucket(stored: Stored) -> None:
    rows = selected(
        stored, ["arrayJoin([0, 1, 2, 3, 1000, 65536, 4294967295]) AS us", f"{fine('us')} AS i"], "system.one"
    )

    assert {0: 0, 1: 0, 2: PER_DOUBLING, 65_536: 16 * PER_DOUBLING}.items() <= {
        row["us"]: row["i"] for row in rows
    }.items()
    for row in rows:
        us, i = max(1, int(str(row["us"]))), int(str(row["i"]))
        assert 2 ** (i / PER_DOUBLING) <= us < 2 ** ((i + 1) / PER_DOUBLING)
        assert math.floor(math.log2(us) * PER_DOUBLING) == i


def test_a_request_falls_into_its_stratum(stored: Stored) -> None:
    cases = {
        (None, None): ("", ""),
        (700, None): ("512", ""),
        (700, 349): ("512", "miss"),
        (700, 350): ("512", "hit"),
        (512, 0): ("512", "miss"),
        (0, 0): ("0", "hit"),
        (None, 5): ("", ""),
    }
    values = ", ".join(f"({'NULL' if a is None else a}, {'NULL' if b is None else b})" for a, b in cases)
    listed = (
        f"SELECT arrayJoin([{values}]) AS one, toNullable(one.1) AS tokens_in, toNullable(one.2) AS tokens_cache_read"
    )
    columns = ["tokens_in", "tokens_cache_read", *STRATUM]
    rows = selected(stored, columns, f"({listed})")

    found = {(row["tokens_in"], row["tokens_cache_read"]): tuple(row[name] for name in STRATUM_KEYS) for row in rows}
    assert cases == found
