"""Replicas side by side, against the records themselves."""

from collections import Counter

from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.outcome import Eligibility
from telemetry.queries.replicas import replicas


def test_requests_are_counted_by_replica(stored: Stored) -> None:
    rows = [row for row in stored.rows(replicas(SINCE_MS, UNTIL_MS)) if row["endpoint"] in {"chat", "code"}]
    counted, bad = Counter[tuple[str, str, str]](), Counter[tuple[str, str, str]]()
    paces: dict[tuple[str, str, str], list[int]] = {}
    for one in stored.records:
        key = (one.endpoint, one.model, one.replica)
        counted[key] += one.eligible in {Eligibility.GOOD, Eligibility.BAD}
        bad[key] += one.eligible is Eligibility.BAD
        if one.tpot_us is not None and (one.tokens_out or 0) >= 16:
            paces.setdefault(key, []).append(one.tpot_us)
    found = {(str(row["endpoint"]), str(row["model"]), str(row["replica"])): row for row in rows}

    assert set(counted) == set(found)
    for key, row in found.items():
        of = sorted(paces[key])
        assert (counted[key], bad[key], len(of)) == (row["n"], row["bad"], row["paced"])
        assert of[(len(of) - 1) // 2] == row["tpot_us"]
