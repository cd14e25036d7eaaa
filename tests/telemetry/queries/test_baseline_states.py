import pytest
from query_store import SINCE_MS, Stored

from telemetry.histogram import build, quantile
from telemetry.queries.baseline_states import BASELINE_IDS_MAX, baseline_book, baselines
from telemetry.queries.buckets import PERCENTILES_PPM


def state(name: str, made_ms: int, **changed: object) -> dict[str, object]:
    fixed: dict[str, object] = {
        "baseline_id": name,
        "created_at": made_ms / 1000,
        "valid_until": (SINCE_MS + 1_000) / 1000,
        "key_json": "{}",
        "run_ids": ["r1"],
        "ttft_h": {},
        "goodput_per_s": 3.5,
        "active": 1,
    }
    return fixed | changed


@pytest.fixture(scope="module")
def kept(stored: Stored) -> Stored:
    h = build(range(1000, 90_000, 100))
    stored.insert_rows(
        "baselines",
        [
            state("b", SINCE_MS - 9_000, ttft_h={"3": 1}),
            state("b", SINCE_MS - 5_000, ttft_h={str(i): n for i, n in h.items()}),
            state("retired", SINCE_MS - 9_000),
            state("retired", SINCE_MS - 5_000, active=0),
            state("expired", SINCE_MS - 5_000, valid_until=(SINCE_MS - 1) / 1000),
            state("later", SINCE_MS + 500),
        ],
    )
    return stored


def test_the_last_state_of_a_baseline_holds(kept: Stored) -> None:
    rows = kept.rows(baselines(SINCE_MS))
    h = build(range(1000, 90_000, 100))
    expected = [quantile(h, ppm / 1e6) for ppm in PERCENTILES_PPM]

    assert [("b", "e2e"), ("b", "tpot"), ("b", "ttft")] == [(row["baseline_id"], row["metric"]) for row in rows]
    assert h == rows[2]["h"]
    assert [one and one.estimate for one in expected] == pytest.approx(rows[2]["ok_s"])
    assert (890, 3.5, ["r1"], SINCE_MS - 5_000) == (
        *(rows[2][name] for name in ("n", "goodput_per_s", "run_ids", "created_unix_ms")),
    )
    assert [None] * len(PERCENTILES_PPM) == rows[0]["ok_s"]


def test_baselines_are_asked_for_by_name(kept: Stored) -> None:
    assert {"later"} == {row["baseline_id"] for row in kept.rows(baselines(SINCE_MS + 600, ("later", "retired")))}
    assert [] == kept.rows(baselines(SINCE_MS, ("' OR 1=1",)))
    assert baselines(0, ("b",) * BASELINE_IDS_MAX)
    with pytest.raises(ValueError, match="1001 baselines"):
        baselines(0, ("b",) * (BASELINE_IDS_MAX + 1))


def test_the_book_tells_the_last_state_of_each_whatever_it_is(kept: Stored) -> None:
    rows = {row["baseline_id"]: row for row in kept.rows(baseline_book())}

    assert {"b", "retired", "expired", "later"} == set(rows)
    assert (1, SINCE_MS - 9_000, SINCE_MS - 5_000, SINCE_MS + 1_000, ["r1"], build(range(1000, 90_000, 100))) == (
        *(rows["b"][name] for name in ("active", "first_unix_ms", "last_unix_ms", "valid_until_unix_ms")),
        *(rows["b"][name] for name in ("run_ids", "ttft_h")),
    )
    assert 0 == rows["retired"]["active"]
    assert ["later"] == [row["baseline_id"] for row in kept.rows(baseline_book(("later", "none")))]
    assert baseline_book(("b",) * BASELINE_IDS_MAX).sql
    with pytest.raises(ValueError, match="1001 baselines"):
        baseline_book(("b",) * (BASELINE_IDS_MAX + 1))
