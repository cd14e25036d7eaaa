"""Replicas side by side, against the records themselves."""

from collections import Counter

from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.outcome import Eligibility
from telemetry.queries.replicas import replicas

RATIO = 1.01


def test_requests_are_counted_by_replica(stored: Stored) -> None:
    rows = [row for row in stored.rows(replicas(SINCE_MS, UNTIL_MS, RATIO)) if row["endpoint"] in {"chat", "code"}]
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
        middle_us = middle([middle(of) for other, of in paces.items() if other[:2] == key[:2]])
        assert (counted[key], bad[key], len(paces[key])) == (row["n"], row["bad"], row["paced"])
        assert middle(paces[key]) == row["tpot_us"]
        assert sum(one > RATIO * middle_us for one in paces[key]) == row["slower"]


def middle(values: list[int]) -> int:
    return sorted(values)[(len(values) - 1) // 2]
