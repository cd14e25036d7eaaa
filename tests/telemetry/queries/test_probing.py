"""What probes found last."""

import pytest
from query_store import SINCE_MS, Stored

from telemetry.queries.probing import PROBES_MAX, last_probes


def result(target: str, at_s: int, ok: int, probe: str = "completion") -> dict[str, object]:
    return {"ts": (SINCE_MS + at_s * 1000) / 1000, "target": target, "probe": probe, "outcome": "ok", "ok": ok}


@pytest.mark.parametrize("beyond", [0, 1])
def test_the_newest_results_come_first_and_no_more_than_the_bound(stored: Stored, beyond: int) -> None:
    target = f"probed-{beyond}"
    rows = [result(target, at, at % 2) for at in range(1, PROBES_MAX + beyond + 1)]
    stored.insert_rows("probe_results", [*rows, result(target, 100, 0, "exposure"), result(target, 0, 1)])
    found = {row["target"]: row for row in stored.rows(last_probes(SINCE_MS, SINCE_MS + 60_000))}
    expected = list(range(PROBES_MAX + beyond, beyond, -1))

    assert found[target]["ats_unix_ms"] == [SINCE_MS + at * 1000 for at in expected]
    assert found[target]["oks"] == [at % 2 for at in expected]
