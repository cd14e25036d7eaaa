"""The SQL form against the Python one, on the engine."""

from collections.abc import Mapping
from math import isinf
from random import Random
from typing import cast

import pytest
from query_store import Stored

from telemetry import histogram
from telemetry.queries import buckets
from telemetry.queries.question import Question, Select

Case = tuple[Mapping[int, int], int, int]
_CASES = (
    "(SELECT arrayJoin(arrayZip({ids:Array(UInt32)}, {indexes:Array(Array(Int16))}, {counts:Array(Array(UInt64))},"
    " {bads:Array(UInt64)}, {us:Array(UInt64)})) AS one, one.1 AS id, mapFromArrays(one.2, one.3) AS h,"
    " one.4 AS n_bad, one.5 AS us)"
)


def answers(stored: Stored, cases: list[Case]) -> list[dict[str, object]]:
    asked = Select(
        given=[*buckets.given("h", "n_bad"), *buckets.given_threshold("us")],
        columns=[
            *("n_ok", "n_all"),
            *(one for name in buckets.POPULATIONS for one in buckets.quantile_columns(name)),
            *(one for name in buckets.POPULATIONS for one in buckets.fraction_columns(name)),
        ],
        source=_CASES,
        order_by=["id"],
    )
    values = {
        "ids": list(range(len(cases))),
        "indexes": [list(h) for h, _, _ in cases],
        "counts": [list(h.values()) for h, _, _ in cases],
        "bads": [bad for _, bad, _ in cases],
        "us": [us for _, _, us in cases],
    }
    return stored.rows(Question(sql=asked.text(), parameters=values))


def in_python(case: Case) -> dict[str, object]:
    h, bad, us = case
    told: dict[str, object] = {"n_ok": sum(h.values()), "n_all": sum(h.values()) + bad}
    for name, failures in (("ok", 0), ("all", bad)):
        found = [histogram.quantile(h, ppm / 1e6, failures=failures) for ppm in buckets.PERCENTILES_PPM]
        told |= {
            f"{name}_s": [one and one.estimate for one in found],
            f"{name}_low_s": [one and one.low for one in found],
            f"{name}_high_s": [one and one.high for one in found],
            f"{name}_error_ratio_max": [one and one.error_ratio_max for one in found],
        }
        share = histogram.fraction_below(h, us / 1e6, failures=failures)
        told |= {
            f"{name}_below": share and share.estimate,
            f"{name}_below_low": share and share.low,
            f"{name}_below_high": share and share.high,
        }
    return told


def random_case(random: Random) -> Case:
    indexes = random.sample([histogram.ZERO_KEY, *range(-319, 194)], random.randrange(0, 40))
    h = {i: random.choice((1, 2, random.randrange(1, 10 ** random.randrange(1, 9)))) for i in indexes}
    total = sum(h.values())
    edge = histogram.upper_us(random.randrange(-319, 193))
    return h, random.choice((0, 0, 1, total // 50, total)), random.choice((edge, edge + 1, random.randrange(1, 2**32)))


@pytest.mark.parametrize("population", buckets.POPULATIONS)
def test_a_population_has_one_value_per_percentile(population: str) -> None:
    assert [f"AS {population}_{end}" for end in ("s", "low_s", "high_s", "error_ratio_max")] == [
        column[column.rindex(" AS ") + 1 :] for column in buckets.quantile_columns(population)
    ]


def test_sql_and_python_agree(stored: Stored) -> None:
    # Seed 11: 300 histograms of up to 40 buckets, with the zero bucket, failures and thresholds on bucket ends.
    random = Random(11)  # noqa: S311 -- seeded
    cases: list[Case] = [({}, 0, 1), ({}, 3, 1), ({-17: 10, -16: 10}, 2, 510_000), ({-17: 10, -16: 10}, 0, 500_000)]
    cases += [random_case(random) for _ in range(300)]

    for case, found in zip(cases, answers(stored, cases), strict=True):
        expected = in_python(case)

        assert expected.keys() == found.keys()
        for name, value in expected.items():
            assert value == approximately(found[name]), (case, name)


def approximately(value: object) -> object:
    if isinstance(value, list):
        return [approximately(one) for one in cast("list[object]", value)]
    return pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, int | float) else value


def test_the_vectors_of_the_specification(stored: Stored) -> None:
    # spec/store.md 15.2.
    [row, none] = answers(stored, [({-17: 10, -16: 10}, 2, 510_000), ({}, 0, 1)])
    ok, low, everyone = (cast("list[float]", row[name]) for name in ("ok_s", "ok_low_s", "all_s"))

    assert [0.5, 0.51988, 0.521685] == pytest.approx([ok[0], ok[2], ok[3]], abs=1e-6)
    assert [0.478802, 0.5, 0.5] == pytest.approx([low[0], low[2], low[3]], abs=1e-6)
    assert isinf(everyone[3])
    assert [0.728553, 0.5, 1.0] == pytest.approx([row["ok_below"], row["ok_below_low"], row["ok_below_high"]], abs=1e-6)
    assert [None] * 5 == none["ok_s"] == none["all_s"]
    assert none["ok_below"] is None


def test_bounds_of_a_bucket(stored: Stored) -> None:
    low, high = buckets.bounds("i")
    asked = Select(columns=["i", low, high], source="(SELECT arrayJoin([-32768, -17, 0]) AS i)", order_by=["i"])

    assert [(0.0, 0.0), (0.478802, 0.5), (1.0, 1.044274)] == [
        pytest.approx((row["low_s"], row["high_s"]), abs=1e-6) for row in stored.rows(Question(sql=asked.text()))
    ]
