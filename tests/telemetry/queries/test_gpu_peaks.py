"""GPUs in the busiest minutes, by hand: three of thirty minutes, two GPUs, and replicas that come and go."""

from uuid import UUID

import msgspec
import pytest
from query_store import SINCE_MS, Stored
from test_around import engine, gpu

from telemetry.queries.gpu_peaks import gpu_peaks

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
FIRST_MS = SINCE_MS - 40 * HOUR_MS
"""Long before what the other tests look at."""
LOADS = [4, 4, 4, *[1] * 25]


def test_the_tenth_of_the_minutes_with_the_most_requests_counts(stored: Stored) -> None:
    starts = [FIRST_MS + MINUTE_MS * n for n in range(len(LOADS))]
    ends = [(at_ms, n) for at_ms, load in zip(starts, LOADS, strict=True) for n in range(load)]
    one = next(one for one in stored.records if one.outcome == "ok")
    stored.insert(
        "n/peaks",
        [
            msgspec.structs.replace(one, ended_at=at_ms + n, endpoint="peaks", record_id=UUID(int=at_ms + n))
            for at_ms, n in ends
        ],
    )
    gpus = [
        gpu(at_ms, index, endpoint="peaks", gpu_util_ratio=util, sm_ratio=None)
        for at_ms, both in zip(starts[1:], [(0.5, 0.7), (0.8, 1.0), *[(0.1, 0.1)] * 25], strict=True)
        for index, util in enumerate(both)
    ]
    stored.writer.insert_samples(gpus, "peaks-gpus")
    scrapes = [
        engine(at_ms, f"r{n}", endpoint="peaks")
        for at_ms, many in zip(starts, (2, 3), strict=False)
        for n in range(many)
    ]
    stored.writer.insert_samples([*scrapes, engine(starts[2], "r0", endpoint="peaks", up=0)], "peaks-engines")
    [row] = [row for row in stored.rows(gpu_peaks(FIRST_MS, FIRST_MS + HOUR_MS)) if row["endpoint"] == "peaks"]

    assert {"endpoint": "peaks", "minutes": 3, "known": 2, "replicas": 2.5, "sm_ratio": None} == {
        name: row[name] for name in ("endpoint", "minutes", "known", "replicas", "sm_ratio")
    }
    assert 4 / 60 == pytest.approx(row["per_s"])
    assert 0.75 == pytest.approx(row["util_ratio"], abs=1e-6)
