"""Objectives counted by the store, against the judge in Python and against the censor table of the specification."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from random import Random

import msgspec
import pytest
from expression_cases import HOSTILE, INDICATORS, quoted, request
from hypothesis import Phase as Stage
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.budget import EmptySlice
from slo.expression import parse
from slo.objective import (
    Budgeting,
    Indicator,
    Objective,
    Rolling,
    Traffic,
    class_of,
    counted,
    definition_hash,
    judge,
)
from slo.periods import Calendar, CalendarUnit
from telemetry.clock import wall_ms
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.outcome_rules import NATURE
from telemetry.queries.asked import Dim
from telemetry.queries.counted import Left, counts
from telemetry.record import RequestBatch, RequestRecord
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

BUCKET_MS = 30_000
N_ROWS = 400
SINCE_MS = wall_ms() // 3_600_000 * 3_600_000 - 6 * 3_600_000
UNTIL_MS = SINCE_MS + N_ROWS * BUCKET_MS
_RANDOM = Random(5)  # noqa: S311 -- seeded
RECORDS = [request(_RANDOM, SINCE_MS + at * BUCKET_MS + 7) for at in range(N_ROWS)]
"""One request in each bucket, so that the counts of a bucket are a verdict."""
Told = tuple[object, object, object, object]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    """A store of its own: these objectives speak of every request that is there."""
    with StoreProcess(tmp_path_factory.mktemp("objective") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def reader(process: StoreProcess) -> Iterator[Store]:
    writer, asking = process.store("writer"), process.store("reader")
    insert(writer, "n/objective", RECORDS)
    yield asking
    asking.close()
    writer.close()


def insert(writer: Store, name: str, records: Sequence[RequestRecord]) -> None:
    seqs = tuple(range(1, len(records) + 1))
    writer.insert_requests(RequestBatch(collector=name, seqs=seqs, records=tuple(records)), name)


def objective(name: str, **indicator: object) -> Objective:
    found = Indicator(**indicator)  # type: ignore[arg-type]  # a table of keyword arguments
    return Objective(name=name, service="s", target=0.99, window=Rolling(length_s=86_400), indicator=found)


def expected(one: Objective, records: Sequence[RequestRecord]) -> dict[tuple[str, int], Told]:
    found: dict[tuple[str, int], Told] = {}
    for record in records:
        told = judge(one.indicator, record)
        if told is not None:
            left = class_of(one.indicator, record) is Eligibility.CENSORED
            at = record.ended_at // BUCKET_MS * (BUCKET_MS // 1000)
            outcome = str(record.outcome)
            found[one.name, at] = (
                int(told == "good"),
                {outcome: 1} if told == "bad" else {},
                int(told == "bad" and left),
                {outcome: 1} if told == "excluded" else {},
            )
    return found


def answered(reader: Store, objectives: Sequence[Objective]) -> dict[tuple[str, int], Told]:
    return {
        (str(row["slo"]), int(str(row["t_unix_s"]))): (row["good"], row["bad"], row["censored_bad"], row["excluded"])
        for row in reader.query(counts(counted(objectives), SINCE_MS, UNTIL_MS))
    }


@settings(max_examples=2, deadline=None, derandomize=True, phases=[Stage.generate])  # tests/system has many more
@given(indicators=st.lists(INDICATORS, min_size=4, max_size=4))
def test_the_store_and_python_judge_alike(reader: Store, indicators: list[Indicator]) -> None:
    objectives = [replace(objective(str(at)), indicator=one) for at, one in enumerate(indicators)]
    wanted: dict[tuple[str, int], Told] = {}
    for one in objectives:
        wanted |= expected(one, RECORDS)

    assert wanted == answered(reader, objectives)


COMPOSITE = parse("ok and complete and ttft_s <= 2 and tpot_s <= 0.05 and gap_max_s <= 2 and e2e_s <= 20")
_LEFT = Outcome.CLIENT_CANCELLED
_Case = tuple[Outcome, int, float, dict[str, int], str]
CENSOR: dict[str, _Case] = {  # spec/slo.md 3 at x = 2 s (E2E: 20 s); verdicts of ttft, E2E and composite
    "cancelled before a token, waited longer than both": (_LEFT, 0, 25.0, {}, "BBB"),
    "cancelled before a token at 12 s": (_LEFT, 0, 12.0, {}, "BXB"),
    "cancelled before a token at 1.5 s": (_LEFT, 0, 1.5, {}, "XXX"),
    "cancelled before a token at exactly 2 s": (_LEFT, 0, 2.0, {}, "XXX"),
    "cancelled after a token, nothing violated": (_LEFT, 1, 3.0, {"ttft_us": 1_000_000}, "GXX"),
    "cancelled after a token, ttft violated": (_LEFT, 1, 5.0, {"ttft_us": 3_000_000}, "BXB"),
    "cancelled after a token, lasted too long": (_LEFT, 1, 21.0, {"ttft_us": 1_000_000}, "GBB"),
    "cancelled after a wide gap": (_LEFT, 1, 9.0, {"ttft_us": 1_000_000, "open_gap_us": 6_000_000}, "GXB"),
    "server fault before a token": (Outcome.OVERLOADED, 0, 0.1, {}, "BBB"),
    "server fault mid-stream, ttft kept": (Outcome.STREAM_ERROR, 1, 3.0, {"ttft_us": 1_000_000}, "GBB"),
    "server fault mid-stream, ttft violated": (Outcome.STREAM_ERROR, 1, 5.0, {"ttft_us": 3_000_000}, "BBB"),
    "not eligible": (Outcome.CONTEXT_LENGTH, 0, 0.1, {}, "XXX"),
    "well": (Outcome.OK, 1, 3.0, {"ttft_us": 1_000_000, "e2e_us": 3_000_000}, "GGG"),
    "well, but late": (Outcome.OK, 1, 3.0, {"ttft_us": 2_000_001, "e2e_us": 3_000_000}, "BGB"),
}


def cut(at: int, case: _Case) -> RequestRecord:
    outcome, output, elapsed_s, figures, _ = case
    phase = Phase.DONE if outcome is Outcome.OK else Phase.STREAMING if output else Phase.QUEUED
    return RequestRecord(
        ended_at=SINCE_MS - (at + 1) * BUCKET_MS,
        elapsed_us=int(elapsed_s * 1e6),
        endpoint="censor",
        model="m",
        record_id=RECORDS[0].record_id,
        outcome=outcome,
        phase=phase,
        eligible=NATURE[outcome].eligible,
        **figures,  # pyright: ignore[reportArgumentType] -- figures alone
    )


def test_every_row_of_the_censor_table(process: StoreProcess, reader: Store) -> None:
    records = [cut(at, case) for at, case in enumerate(CENSOR.values())]
    writer = process.store("writer")
    insert(writer, "n/censor", records)
    writer.close()
    only = parse("endpoint == 'censor'")
    objectives = [
        objective("ttft", good=parse("ttft_s <= 2"), only=only),
        objective("e2e", good=parse("e2e_s <= 20"), only=only),
        objective("composite", good=COMPOSITE, only=only),
    ]
    since_ms = SINCE_MS - len(records) * BUCKET_MS
    rows = reader.query(counts(counted(objectives), since_ms, SINCE_MS))
    told = {(row["slo"], row["t_unix_s"]): "G" if row["good"] else "B" if row["bad"] else "X" for row in rows}
    censored = {(row["slo"], row["t_unix_s"]): row["censored_bad"] for row in rows}

    for record, (name, case) in zip(records, CENSOR.items(), strict=True):
        at = record.ended_at // 1000
        found = "".join(told[one.name, at] for one in objectives)
        by_python = "".join(str(judge(one.indicator, record))[0].upper() for one in objectives)

        assert (name, case[4]) == (name, found)
        assert found.replace("X", "E") == by_python
        if case[0] is Outcome.CLIENT_CANCELLED:
            assert [int(word == "B") for word in found] == [censored[one.name, at] for one in objectives]


def test_what_a_good_request_lacks_is_counted_and_judged_by_its_kind(reader: Store) -> None:
    lenient, strict = objective("l", good=parse("tpot_s <= 99")), objective("s", good=parse("srv_queue_s <= 99"))
    rows = reader.query(counts(counted([lenient, strict]), SINCE_MS, UNTIL_MS))
    well = [one for one in RECORDS if one.eligible == "good"]
    nulls: Counter[str] = Counter()
    for row in rows:
        told = msgspec.convert(row["n_null"], dict[str, int])
        nulls.update({f"{row['slo']} {name}": n for name, n in told.items()})
        lacking = next((one for one in well if one.ended_at // BUCKET_MS * 30 == row["t_unix_s"]), None)
        if lacking is not None and told:
            assert (row["slo"] == "l") == bool(row["good"])

    assert {
        "l tpot_us": sum(one.tpot_us is None for one in well),
        "s srv_queue_us": sum(one.srv_queue_us is None for one in well),
    } == dict(nulls)


def test_a_hostile_text_finds_what_has_it_and_nothing_else(reader: Store) -> None:
    objectives = [objective(text, only=parse(f"endpoint == {quoted(text)}")) for text in HOSTILE]
    asked = counts(counted(objectives), SINCE_MS, UNTIL_MS)
    found: Counter[str] = Counter()
    for row in reader.query(asked):
        excluded = msgspec.convert(row["excluded"], dict[str, int])
        found[str(row["slo"])] += int(str(row["eligible"])) + sum(excluded.values())

    assert Counter(one.endpoint for one in RECORDS if one.endpoint in HOSTILE) == found
    assert not [text for text in HOSTILE if text in asked.sql and text not in {"\\", "$0"}]


def test_groups_are_counted_by_themselves(reader: Store) -> None:
    grouped = objective("g", group_by=(Dim.MODEL, Dim.REGION))
    rows = reader.query(counts(counted([grouped]), SINCE_MS, UNTIL_MS))

    assert {(one.model, one.region) for one in RECORDS} == {
        (key["model"], key["region"]) for row in rows for key in [json.loads(str(row["group_key"]))]
    }


@pytest.mark.parametrize(
    ("left", "eligible", "expected_class"),
    [
        (Left.JUDGED, None, "censored"),
        (Left.EXCLUDED, None, "excluded"),
        (Left.BAD, None, "bad"),
        (Left.JUDGED, "elapsed_s > 99", "excluded"),
        (Left.JUDGED, "phase == 'queued'", "censored"),
    ],
)
def test_a_client_that_left_counts_as_the_objective_says(left: Left, eligible: str | None, expected_class: str) -> None:
    record = cut(0, CENSOR["cancelled before a token at 1.5 s"])
    indicator = Indicator(left=left, eligible=None if eligible is None else parse(eligible))

    assert expected_class == class_of(indicator, record)


def test_what_never_counts_by_default_counts_where_it_is_declared_eligible() -> None:
    record = cut(0, CENSOR["not eligible"])

    assert "bad" == class_of(Indicator(eligible=parse("true")), record)
    assert "bad" == class_of(Indicator(also_bad=(Outcome.CONTEXT_LENGTH,)), record)
    assert judge(Indicator(traffic=Traffic.PROBE), record) is None


CALENDAR = Calendar(start=datetime(2026, 1, 1), zone="Europe/Berlin", count=1, unit=CalendarUnit.MONTH)  # noqa: DTZ001 -- a wall time
CHANGES = {
    "target": {"target": 0.999},
    "window": {"window": Rolling(length_s=7 * 86_400)},
    "calendar": {"window": CALENDAR},
    "method": {"budgeting": Budgeting.TIMESLICES},
    "slice": {"slice_s": 60},
    "slice target": {"slice_target": 0.9},
    "empty slices": {"empty_slice": EmptySlice.BAD},
    "expression": {"indicator": Indicator(good=parse("ttft_s <= 2"))},
    "filter": {"indicator": Indicator(good=parse("ttft_s <= 1"), only=parse("stream"))},
    "eligible": {"indicator": Indicator(good=parse("ttft_s <= 1"), eligible=parse("stream"))},
    "censor": {"indicator": Indicator(good=parse("ttft_s <= 1"), left=Left.BAD)},
    "traffic": {"indicator": Indicator(good=parse("ttft_s <= 1"), traffic=Traffic.PROBE)},
    "groups": {"indicator": Indicator(good=parse("ttft_s <= 1"), group_by=(Dim.MODEL,))},
    "classes": {"indicator": Indicator(good=parse("ttft_s <= 1"), also_bad=(Outcome.AUTH,))},
}


def test_a_definition_has_one_number_and_each_change_of_what_counts_another() -> None:
    first = objective("a", good=parse("ttft_s <= 1"))
    changed = {name: definition_hash(replace(first, **change)) for name, change in CHANGES.items()}  # type: ignore[arg-type]  # a table

    assert definition_hash(first) == definition_hash(objective("b", good=parse("(ttft_s <= 1.0)")))
    assert definition_hash(first) == definition_hash(replace(first, labels={"a": ("b",)}, description="x"))
    assert len({definition_hash(first), *changed.values()}) == len(CHANGES) + 1
    assert (30 * 86_400, 86_400) == (replace(first, window=CALENDAR).period_s, first.period_s)
