"""The counts of many objectives against a judge in Python that reads spec/measurement.md 10 line by line."""

import json
from collections import Counter
from dataclasses import dataclass, field

import pytest
from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.outcome import Outcome
from telemetry.queries.asked import Dim
from telemetry.queries.objectives import BUCKET_S, OBJECTIVES_MAX, TPOT_TOKENS_MIN, Limits, objective_counts
from telemetry.record import RequestRecord

OBJECTIVES = (
    Limits(name="classes"),
    Limits(name="complete", complete=True, where={Dim.REGION: ("eu",)}),
    Limits(name="ttft", ttft_us=300_000, group_by=(Dim.ENDPOINT,)),
    Limits(name="ttft by length", ttft_us=100_000, ttft_us_per_token=50.0, where={Dim.MODEL: ("it's", "small")}),
    Limits(name="e2e", e2e_us=2_000_000, group_by=(Dim.MODEL, Dim.REPLICA)),
    Limits(name="tpot", tpot_us=20_200),
    Limits(name="gap", gap_us=60_000),
    Limits(name="all of it", ttft_us=400_000, e2e_us=3_000_000, tpot_us=20_400, gap_us=80_000, complete=True),
    Limits(
        name="own classes", ttft_us=300_000, also_bad=(Outcome.CONTEXT_LENGTH,), also_excluded=(Outcome.OVERLOADED,)
    ),
    Limits(name="nobody's", where={Dim.ENDPOINT: ("' OR 1=1 --",)}, ttft_us=1),
    Limits(name="load tests", traffic="loadtest", ttft_us=1),
)


def observed(value: int | None, limit: float, unknown: str) -> str:
    return unknown if value is None else "G" if value <= limit else "B"


def waited(one: RequestRecord, limit: float) -> str:
    return "B" if one.elapsed_us > limit else "X"


def parts(one: RequestRecord, asked: Limits, judged: str) -> list[str]:
    had_output = one.phase in {"streaming", "done"}
    ttft_us = (asked.ttft_us or 0) + asked.ttft_us_per_token * (one.tokens_in or 0)
    widest_us = max(one.icl_max_us or 0, one.open_gap_us or 0) or None
    settled_us = one.tpot_us if (one.tokens_out or 0) >= TPOT_TOKENS_MIN else None
    e2e_us, tpot_us, gap_us = asked.e2e_us or 0, asked.tpot_us or 0, asked.gap_us or 0
    table = {
        ("good", True): (
            observed(one.ttft_us, ttft_us, "B"),
            observed(one.e2e_us, e2e_us, "B"),
            observed(one.tpot_us, tpot_us, "G"),
            observed(widest_us, gap_us, "G"),
            "G",
        ),
        ("bad", False): ("B", "B", "X", "X", "B"),
        ("bad", True): (
            observed(one.ttft_us, ttft_us, "B"),
            "B",
            observed(settled_us, tpot_us, "X"),
            observed(widest_us, gap_us, "X"),
            "B",
        ),
        ("censored", False): (waited(one, ttft_us), waited(one, e2e_us), "X", "X", "X"),
        ("censored", True): (
            observed(one.ttft_us, ttft_us, "X"),
            waited(one, e2e_us),
            observed(settled_us, tpot_us, "X"),
            "B" if (widest_us or 0) > gap_us else "X",
            "X",
        ),
    }
    limits = (asked.ttft_us, asked.e2e_us, asked.tpot_us, asked.gap_us, asked.complete or None)
    found = table[judged, had_output]
    return [part for part, limit in zip(found, limits, strict=True) if limit is not None]


def verdict(one: RequestRecord, asked: Limits, judged: str) -> str:
    if judged == "excluded":
        return "X"
    found = parts(one, asked, judged)
    if not found:
        return {"good": "G", "bad": "B"}.get(judged, "X")
    return "B" if "B" in found else "X" if "X" in found else "G"


def class_of(one: RequestRecord, asked: Limits) -> str:
    if one.outcome in asked.also_bad:
        return "bad"
    return "excluded" if one.outcome in asked.also_excluded else str(one.eligible)


@dataclass
class Counts:
    good: int = 0
    bad: Counter[str] = field(default_factory=Counter[str])
    censored_bad: int = 0
    excluded: Counter[str] = field(default_factory=Counter[str])


Key = tuple[str, str, int]


def counted(records: tuple[RequestRecord, ...]) -> dict[Key, Counts]:
    found: dict[Key, Counts] = {}
    for asked in OBJECTIVES:
        for one in records:
            selected = all(getattr(one, dim) in values for dim, values in asked.where.items())
            if not selected or one.traffic != asked.traffic:
                continue
            group = json.dumps({dim.value: getattr(one, dim) for dim in asked.group_by}, separators=(",", ":"))
            key = (asked.name, group, one.ended_at // (1000 * BUCKET_S) * BUCKET_S)
            counts = found.setdefault(key, Counts())
            judged = class_of(one, asked)
            told = verdict(one, asked, judged)
            counts.good += told == "G"
            counts.bad.update([str(one.outcome)] if told == "B" else [])
            counts.censored_bad += told == "B" and judged == "censored"
            counts.excluded.update([str(one.outcome)] if told == "X" else [])
    return found


def test_all_objectives_are_counted_as_the_table_says(stored: Stored) -> None:
    until_ms = SINCE_MS + 3_600_000
    rows = stored.rows(objective_counts(OBJECTIVES, SINCE_MS, until_ms))
    expected = counted(tuple(one for one in stored.records if one.ended_at < until_ms))

    assert set(expected) == {(row["slo"], row["group_key"], row["t_unix_s"]) for row in rows}
    assert {"classes", "e2e", "all of it", "own classes"} <= {row["slo"] for row in rows}
    assert not {"nobody's", "load tests"} & {row["slo"] for row in rows}
    for row in rows:
        counts = expected[str(row["slo"]), str(row["group_key"]), int(str(row["t_unix_s"]))]

        assert (counts.good, dict(counts.bad), counts.censored_bad, dict(counts.excluded)) == (
            *(row[name] for name in ("good", "bad", "censored_bad", "excluded")),
        )
        assert counts.good + counts.bad.total() == row["eligible"]


def test_unknown_values_that_were_needed_are_counted(stored: Stored) -> None:
    rows = stored.rows(objective_counts([OBJECTIVES[3], OBJECTIVES[5]], SINCE_MS, UNTIL_MS))
    nulls: Counter[tuple[str, str]] = Counter()
    for row in rows:
        told = row["n_null"]
        assert isinstance(told, dict)
        nulls.update({(str(row["slo"]), str(name)): int(n) for name, n in told.items()})  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] -- a map of the answer
    mine = [one for one in stored.records if one.model in {"it's", "small"} and one.eligible != "excluded"]

    assert {
        ("ttft by length", "tokens_in"): sum(one.tokens_in is None for one in mine),
        ("tpot", "tpot_us"): sum(one.outcome == "ok" and one.tpot_us is None for one in stored.records),
    } == dict(nulls)


def test_names_and_values_never_enter_the_statement() -> None:
    hostile = Limits(name="'; DROP TABLE x", where={Dim.MODEL: ("{x:String}", "\\")})

    assert objective_counts([hostile], 0, 30_000).sql == objective_counts(OBJECTIVES, 0, 60_000).sql


def test_a_question_is_bounded() -> None:
    many = [Limits(name=str(at)) for at in range(OBJECTIVES_MAX)]

    assert objective_counts(many, 0, 30_000)
    for refused in ([], [*many, Limits(name="x")]):
        with pytest.raises(ValueError, match="objectives; allowed are"):
            objective_counts(refused, 0, 30_000)
    for since_ms, until_ms in ((0, 0), (1, 30_000), (0, 30_001)):
        with pytest.raises(ValueError, match="is not made of buckets of 30 s"):
            objective_counts(many, since_ms, until_ms)
