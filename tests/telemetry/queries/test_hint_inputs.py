"""What an instant of a scaling target is made of, over a real store."""

from bisect import bisect_left
from typing import cast

import pytest
from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.histogram import build
from telemetry.outcome import Outcome
from telemetry.queries import hint_inputs as asked
from telemetry.samples import EngineSample, GpuRow, Heartbeat

AT_MS = UNTIL_MS
OF = ["hint-a"]
Row = dict[str, object]


def scrape(at_s: float, replica: str, up: int = 1, **values: object) -> EngineSample:
    """Return a scrape so many seconds before the instant."""
    ts = AT_MS - round(at_s * 1000)
    return EngineSample(ts=ts, endpoint="hint-a", replica=replica, up=up, scrape_us=1, **values)  # type: ignore[arg-type]  # any column


def beat(at_s: float, arrivals: int, collector: str = "c/1", boot: int = 1, model: str = "m") -> Heartbeat:
    ts = AT_MS - round(at_s * 1000)
    return Heartbeat(
        ts=ts, collector=collector, endpoint="hint-a", model=model, workload_class="", boot=boot, watermark=ts,
        seq_last=0, accepted_total=0, stored_total=0, dlq_total=0, spooled=0, dropped_total={},
        tee_frames_dropped_total=0, unparsed_conns_total=0, arrivals_total=arrivals, first_outputs_total=0,
        tokens_out_total=0, in_flight=0, waiting_first=0, waiting_age_h={}, in_flight_age_h={}, loop_lag_us_max=0,
        rss_bytes=0, cpu_us_total=0, clock_offset_us=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def filled(stored: Stored) -> Stored:
    scrapes = [
        scrape(3_000, "a", running=1, prefix_hits_total=0, prefix_queries_total=0),
        scrape(50, "a", running=1, queued=0, kv_used_ratio=0.2, prefix_hits_total=100, prefix_queries_total=200),
        scrape(
            5, "a", running=8, queued=3, kv_used_ratio_max=0.7, prefix_hits_total=150, prefix_queries_total=400,
            config_hash=2**63 + 7, sleep_state="awake", extra={"process_start_unix_s": 1_784_110_200.25},
        ),
        scrape(900, "b", running=2),
        scrape(40, "b", up=0),
        scrape(4, "b", running=None, queued=2, prefix_hits_total=5, reset=1),
        scrape(30, "c", running=9, queued=9),
        scrape(4, "c", up=0),
        scrape(3_700, "gone", running=7),
        scrape(-1, "later", running=7),
    ]  # fmt: skip
    stored.writer.insert_samples(scrapes, "hint-scrapes")
    beats = [
        *(beat(at_s, 1_000 - at_s * 2) for at_s in range(0, 60, 10)),
        *(beat(at_s, 500 - at_s, "c/2", boot=7) for at_s in (40, 30)),
        *(beat(at_s, 20 - at_s, "c/2", boot=8) for at_s in (20, 0)),
        beat(300, 5, "silent"),
        beat(700, 5, "removed"),
    ]
    stored.writer.insert_samples(beats, "hint-beats")
    samples = [
        GpuRow(
            ts=AT_MS - back, node="n", gpu_uuid=f"u{replica}", mig_uuid="", gpu_name="g", endpoint="hint-a",
            replica=replica, gpu_index=0, gpu_util_ratio=busy,
        )
        for back, replica, busy in ((1_000, "a", 0.4), (2_000, "a", 0.6), (3_000, "b", None), (90_000, "a", 1.0))
    ]  # fmt: skip
    stored.writer.insert_samples(samples, "hint-gpus")
    return stored


def test_replicas_are_seen_as_their_last_scrapes_show_them(filled: Stored) -> None:
    rows = {str(row["replica"]): row for row in filled.rows(asked.engines(AT_MS, 60_000, OF))}

    assert {"a", "b", "c"} == set(rows)
    a, b, c = rows["a"], rows["b"], rows["c"]
    assert (8, 3, pytest.approx(0.7)) == a["values"]
    assert (AT_MS - 3_000_000, AT_MS - 5_000, 1, 3) == tuple(_of(a))
    assert (50, 200) == (a["prefix_hits"], a["prefix_queries"])
    told = ("begun_unix_s", "config_hash", "sleep_state")
    assert [1_784_110_200.25, 2**63 + 7, "awake"] == [a[name] for name in told]
    assert [0, 0, ""] == [c[name] for name in told], "who does not answer says nothing"
    assert (AT_MS - 40_000, AT_MS - 4_000, 1, 2) == tuple(_of(b)), "it answers since it was last silent"
    assert (None, 2, None) == b["values"]
    assert (None, None) == (b["prefix_hits"], b["prefix_queries"])
    assert (AT_MS - 4_000, AT_MS - 4_000, 0, 1) == tuple(_of(c))
    assert (9, 9, None) == c["values"]
    assert AT_MS - 30_000 == c["up_unix_ms"]


def _of(row: Row) -> list[object]:
    return [row[name] for name in ("since_unix_ms", "heard_unix_ms", "is_up", "n_up")]


def test_arrivals_are_counted_by_collector_across_its_boots(filled: Stored) -> None:
    rows = {str(row["collector"]): row for row in filled.rows(asked.demand(AT_MS, 60_000, OF))}

    assert {"c/1", "c/2", "silent"} == set(rows)
    assert 2.0 == rows["c/1"]["arrivals_rps"]
    assert 1.0 == rows["c/2"]["arrivals_rps"], "10 in 10 s, and 20 in 20 s after a new start"
    assert (AT_MS - 40_000, AT_MS) == (rows["c/2"]["since_unix_ms"], rows["c/2"]["heard_unix_ms"]), "of all its boots"
    assert (None, AT_MS - 300_000) == (rows["silent"]["arrivals_rps"], rows["silent"]["heard_unix_ms"])


def test_requests_are_described_as_the_records_are(stored: Stored) -> None:
    rows = {str(row["model"]): row for row in stored.rows(asked.mix(SINCE_MS, UNTIL_MS, ["chat"]))}
    records = [one for one in stored.records if one.endpoint == "chat" and one.traffic != "engine"]

    assert {one.model for one in records} == set(rows)
    for model, row in rows.items():
        own = [one for one in records if one.model == model]
        good = [one for one in own if one.outcome is Outcome.OK]
        assert (len(own), len(good)) == (row["n"], row["n_ok"])
        assert sum(one.tokens_in or 0 for one in own) == row["tokens_in"]
        assert sum(one.tokens_out or 0 for one in good) == row["tokens_out"]
        assert sum(one.tokens_in is not None for one in own) == row["n_in"]
        assert build(one.ttft_us for one in good if one.ttft_us is not None) == row["ttft_h"]
        prompts = cast("dict[int, int]", row["prompts"])
        assert row["n_in"] == sum(prompts.values())
        lengths = sorted(one.tokens_in for one in own if one.tokens_in is not None)
        assert all(
            sum(n for edge, n in prompts.items() if edge < length) <= bisect_left(lengths, length) for length in lengths
        ), "no prompt lies in a band below its length"


def test_gpus_are_busy_on_average_of_the_window(filled: Stored) -> None:
    rows = filled.rows(asked.gpus(AT_MS, 60_000, OF))

    assert [("a", pytest.approx(0.5)), ("b", None)] == [(row["replica"], row["gpu_util_ratio"]) for row in rows]


@pytest.mark.parametrize("endpoint", ["chat", "code"])
def test_the_past_is_counted_in_slots_and_seconds(stored: Stored, endpoint: str) -> None:
    slots = stored.rows(asked.slots(SINCE_MS, UNTIL_MS, [endpoint]))
    seconds = stored.rows(asked.seconds(SINCE_MS, UNTIL_MS, [endpoint]))
    records = [one for one in stored.records if one.endpoint == endpoint and one.traffic != "engine"]
    found = [pair for row in slots for pair in cast("list[tuple[int, float]]", row["slots"])]

    assert all(at_s % asked.SLOT_S == 0 for at_s, _ in found)
    assert len(records) == pytest.approx(sum(per_s * asked.SLOT_S for _, per_s in found))
    assert len(records) == sum(n for row in seconds for _, n in cast("list[tuple[int, int]]", row["seconds"]))


def test_nobody_else_is_seen(filled: Stored) -> None:
    for question in (
        asked.engines(AT_MS, 60_000, ["nobody"]),
        asked.demand(AT_MS, 60_000, ["nobody"]),
        asked.gpus(AT_MS, 60_000, ["nobody"]),
        asked.mix(SINCE_MS, UNTIL_MS, ["nobody"]),
        asked.slots(SINCE_MS, UNTIL_MS, ["nobody"]),
    ):
        assert [] == filled.rows(question)
