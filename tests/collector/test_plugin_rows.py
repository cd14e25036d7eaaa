"""From datagrams to records, and what a datagram that is none can do: be counted."""

import struct
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inferometer_vllm.datagrams import ROWS_MAX, Source
from plugin_requests import NOW_MS, datagram, finished
from vllm.v1.engine import FinishReason

from collector.labels import UNKNOWN, Labels
from collector.plugin_rows import (
    DATAGRAM_BYTES_MAX,
    DURATION_S_MAX,
    EARLY_MS_MAX,
    LATE_MS_MAX,
    SENDERS_MAX,
    PluginRows,
)
from collector.rows import Dimensions
from telemetry.outcome import Eligibility, Flag, Outcome, Phase, TokSource, TokTimeQuality, TtftQuality, TtftSource
from telemetry.record import NO_TRACE, RequestRecord

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def plugin_rows(**names: str) -> PluginRows:
    return PluginRows(Dimensions(endpoint="e", **names), Labels(), random=Random(1))  # noqa: S311 -- seeded


def record(**changed: object) -> RequestRecord:
    row = finished()
    for name, value in changed.items():
        setattr(row, name, value)
    [made] = plugin_rows().records(datagram(row), NOW_MS)
    return made


def test_a_request_becomes_a_row_of_the_engines_own_clock() -> None:
    rows = plugin_rows(region="eu", workload_class="chat", variant="a")
    [made] = rows.records(datagram(finished(name=f"chatcmpl-{TRACE}")), NOW_MS)

    assert (made.endpoint, made.model, made.region, made.workload_class, made.variant) == (
        "e", "tiny", "eu", "chat", "a",
    )  # fmt: skip
    assert (made.traffic, made.point, made.replica, made.api) == ("engine", "engine_log", "engine-3", "openai_chat")
    assert made.trace_id == bytes.fromhex(TRACE)
    assert (made.ended_at, made.record_id.version, made.record_id.int >> 80) == (NOW_MS, 7, NOW_MS)
    assert (made.elapsed_us, made.e2e_us) == (1_250_000, 1_250_000)
    assert (made.srv_queue_us, made.srv_prefill_us, made.srv_decode_us) == (1_000, 20_000, 400_000)
    assert (made.ttft_us, made.ttft_source, made.ttft_quality) == (21_000, "engine_scheduled", "exact")
    assert (made.tpot_us, made.srv_mean_itl_us) == (100_000, 100_000)  # 0.4 s over the 4 tokens after the first
    assert (made.tokens_in, made.tokens_out, made.tokens_cache_read) == (100, 5, 64)
    assert (made.tok_source, made.tok_time_quality) == (TokSource.TOKEN_IDS, TokTimeQuality.LUMP)
    assert (made.http_status, made.flags, rows.taken) == (0, 0, 1)


@pytest.mark.parametrize(
    ("reason", "tokens", "outcome", "phase", "eligible"),
    [
        (FinishReason.STOP, 5, Outcome.OK, Phase.DONE, Eligibility.GOOD),
        (FinishReason.LENGTH, 5, Outcome.OK, Phase.DONE, Eligibility.GOOD),
        (FinishReason.STOP, 0, Outcome.BAD_OUTPUT, Phase.DONE, Eligibility.BAD),
        (FinishReason.ABORT, 5, Outcome.STREAM_TRUNCATED, Phase.STREAMING, Eligibility.BAD),
        (FinishReason.ABORT, 0, Outcome.STREAM_TRUNCATED, Phase.QUEUED, Eligibility.BAD),
        (FinishReason.ERROR, 5, Outcome.STREAM_ERROR, Phase.STREAMING, Eligibility.BAD),
        (FinishReason.REPETITION, 5, Outcome.BAD_OUTPUT, Phase.DONE, Eligibility.BAD),
    ],
)
def test_every_finish_reason_has_its_class(
    reason: FinishReason, tokens: int, outcome: Outcome, phase: Phase, eligible: Eligibility
) -> None:
    made = record(finish_reason=reason, num_generation_tokens=tokens)

    assert (made.outcome, made.phase, made.eligible) == (outcome, phase, eligible)
    assert made.finish_reason == reason.name.lower()
    assert (made.e2e_us is None) == (reason in {FinishReason.ABORT, FinishReason.ERROR})


@pytest.mark.parametrize(
    ("name", "api", "trace"),
    [
        (f"cmpl-{TRACE}-0", "openai_completions", TRACE),
        (f"resp_{TRACE}", "openai_responses", TRACE),
        ("chatcmpl-4BF92F35-77b3-4da6-a3ce-929d0e0e4736", "openai_chat", TRACE),
        (f"chatcmpl-my request {TRACE}", "openai_chat", TRACE),
        (f"chatcmpl-{TRACE}0", "openai_chat", None),
        (f"chatcmpl-0{TRACE}", "openai_chat", None),
        ("chatcmpl-mine", "openai_chat", None),
        ("embd-1", "http", None),
        ("", "http", None),
    ],
)
def test_the_request_id_says_the_route_and_what_it_can_be_joined_with(name: str, api: str, trace: str | None) -> None:
    made = record(request_id=name)

    assert (made.api, made.trace_id) == (api, bytes.fromhex(trace) if trace else NO_TRACE)


def test_what_the_engine_never_stamped_is_unknown() -> None:
    waiting = record(queued_time=-5_000.0, prefill_time=0.0, decode_time=0.0, num_generation_tokens=0)
    unset = record(queued_time=0.0, prefill_time=DURATION_S_MAX + 1, num_cached_tokens=-1)

    assert (waiting.srv_queue_us, waiting.srv_prefill_us, waiting.srv_decode_us) == (None, None, None)
    assert (waiting.ttft_us, waiting.ttft_quality, waiting.tpot_us) == (None, TtftQuality.NONE, None)
    assert (unset.srv_queue_us, unset.srv_prefill_us, unset.ttft_us) == (0, None, None)
    assert (unset.ttft_source, unset.tokens_cache_read) == (TtftSource.ENGINE_SCHEDULED, None)
    assert record(prefill_time=DURATION_S_MAX - 1.0, queued_time=0.0).ttft_us == 4_293_000_000


def test_one_token_has_no_time_per_token() -> None:
    made = record(num_generation_tokens=1, decode_time=0.0)

    assert (made.tpot_us, made.srv_mean_itl_us, made.srv_decode_us) == (None, None, 0)


@pytest.mark.parametrize("e2e_s", [-1.0, float("nan"), float("inf")])
def test_a_wall_clock_that_stepped_leaves_a_suspect_row(e2e_s: float) -> None:
    made = record(e2e_latency=e2e_s)

    assert (made.e2e_us, made.elapsed_us, made.flags) == (None, 0, Flag.CLOCK_SUSPECT)


@pytest.mark.parametrize(
    ("at_ms", "taken"),
    [
        (NOW_MS + EARLY_MS_MAX, 1), (NOW_MS + EARLY_MS_MAX + 1, 0),
        (NOW_MS - LATE_MS_MAX, 1), (NOW_MS - LATE_MS_MAX - 1, 0),
    ],
)  # fmt: skip
def test_what_is_not_of_this_time_is_refused(at_ms: int, taken: int) -> None:
    rows = plugin_rows()

    assert taken == len(rows.records(datagram(finished(), at_ms=at_ms), NOW_MS))
    assert (rows.taken, rows.malformed) == (taken, 1 - taken)


HEADER = struct.Struct("<4sBBHIIQd")
GOOD = datagram(finished(), finished(1))


def header(**changed: object) -> bytes:
    fields = {"magic": b"IFVR", "version": 1, "model": 0, "rows": 0, "pid": 1, "engine": 0, "dropped": 0, "at": 0.0}
    return HEADER.pack(*(fields | {"at": NOW_MS / 1000} | changed).values())


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        GOOD[:-1],
        GOOD + b"\0",
        header(magic=b"IFVS"),
        header(version=2),
        header(model=255),
        header(rows=65_535),
        header(at=float("nan")),
        header(at=float("inf")),
        header(at=-1e300),
        header(rows=1) + struct.pack("<bBddddIIi", 5, 0, 0, 0, 0, 0, 0, 0, 0),
        header(rows=1) + struct.pack("<bBddddIIi", -1, 0, 0, 0, 0, 0, 0, 0, 0),
        header(rows=1) + struct.pack("<bBddddIIi", 0, 9, 0, 0, 0, 0, 0, 0, 0) + b"short",
        bytes(DATAGRAM_BYTES_MAX),
    ],
    ids=[
        "empty", "of another protocol", "cut off", "too long", "magic", "version", "a name beyond the end",
        "rows beyond the end", "no time", "endless time", "time before time", "a later reason", "a negative reason",
        "an id beyond the end", "as long as it gets",
    ],
)  # fmt: skip
def test_a_hostile_datagram_is_counted(hostile: bytes) -> None:
    rows = plugin_rows()

    assert rows.records(hostile, NOW_MS) == []
    assert (rows.taken, rows.malformed, rows.lost) == (0, 1, 0)


@given(st.binary(max_size=300), st.integers(0, len(GOOD)), st.booleans())
def test_no_bytes_raise(noise: bytes, at: int, has_header: bool) -> None:
    rows = plugin_rows()
    made = rows.records(GOOD[:at] + noise + GOOD[at + len(noise) :] if has_header else noise, NOW_MS)

    assert (rows.taken, rows.malformed) == (len(made), 0 if made else rows.malformed)


def test_a_model_is_one_label_and_names_are_bounded() -> None:
    rows = plugin_rows()
    models = [
        rows.records(datagram(finished(), source=Source(pid=1, engine=0, model=f"m{number}\x1b")), NOW_MS)[0].model
        for number in range(66)
    ]

    assert models == [*(f"m{number}?" for number in range(64)), UNKNOWN, UNKNOWN]


def test_losses_are_counted_for_each_sender_and_from_anew_when_one_starts_again() -> None:
    rows = plugin_rows()

    def heard(pid: int, engine: int, dropped: int) -> int:
        rows.records(datagram(finished(), source=Source(pid=pid, engine=engine, model="m"), dropped=dropped), NOW_MS)
        return rows.lost

    assert [heard(1, 0, 5), heard(1, 0, 5), heard(1, 0, 7), heard(1, 1, 2), heard(2, 0, 1)] == [5, 5, 7, 9, 10]
    assert heard(1, 0, 3) == 13  # the process began again under the same id


def test_the_oldest_sender_gives_way() -> None:
    rows = plugin_rows()
    for pid in range(SENDERS_MAX + 1):
        rows.records(datagram(finished(), source=Source(pid=pid, engine=0, model="m"), dropped=1), NOW_MS)
    for pid in (SENDERS_MAX, 0):  # the last is remembered, the first is not
        rows.records(datagram(finished(), source=Source(pid=pid, engine=0, model="m"), dropped=1), NOW_MS)

    assert rows.lost == SENDERS_MAX + 2


def test_the_most_rows_of_a_datagram_are_all_taken() -> None:
    made = plugin_rows().records(datagram(*map(finished, range(ROWS_MAX))), NOW_MS)

    assert len({one.record_id for one in made}) == ROWS_MAX
