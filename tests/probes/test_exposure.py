"""Audits of engines on real sockets, whose access logs show what was asked."""

from collections.abc import Sequence

import pytest
from exposed_engine import KEY_WANTED, NOT_FOUND, OPEN, engine, log, only, url

from probes.exposure import PER_S, SILENT_MAX, WAIT_S, Exposure, Options
from probes.exposure_rules import CHANGE, CONTROL, READ, Severity
from probes.probe import Probe, Row
from telemetry.guard import PUBLIC
from telemetry.samples import ProbeResult
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, Close, HalfClose, Send, Stall
from telemetry.testing.wire import Gate

AT_ONCE = Options(per_s=10_000)
STUB = {
    "OPTIONS /pause": only("POST"),
    "OPTIONS /flush_cache": only("GET", "POST"),
    "GET /flush_cache": OPEN,
    "GET /pause": OPEN,
}


@pytest.mark.parametrize("name", ["", "vllm", "sglang"])
async def test_an_exposed_engine_gives_two_high_findings_and_is_only_looked_at(name: str) -> None:
    with engine(STUB) as stub:
        audit = await Exposure(url(stub), name, options=AT_ONCE).audit()
        asked = log(stub, audit.summary.asked_n + 1)

    assert [(one.path, one.severity) for one in audit.found] == [
        ("/pause", Severity.HIGH),
        ("/flush_cache", Severity.HIGH),
    ]
    assert audit.high == 2
    read = {path.path for path in READ}
    assert {line.split(" ")[0] for line in asked} == {"GET", "OPTIONS"}
    assert {line.removeprefix("GET ") for line in asked if line.startswith("GET ")} <= read
    assert not [line for line in asked if line.startswith("OPTIONS ") and line.removeprefix("OPTIONS ") in read]
    assert asked[0] == f"OPTIONS {CONTROL}"
    assert len(asked) == len(set(asked)) == audit.summary.asked_n + 1


async def test_trt_llm_s_metrics_are_never_read() -> None:
    with engine({"OPTIONS /update_weights": only("POST")}) as stub:
        audit = await Exposure(url(stub), "trt-llm", options=AT_ONCE).audit()
        asked = log(stub, audit.summary.asked_n + 1)

    assert [one.path for one in audit.found] == ["/update_weights"]
    assert not [line for line in asked if "metrics" in line]


@pytest.mark.parametrize("answer", [KEY_WANTED, NOT_FOUND])
async def test_a_guarded_engine_gives_none(answer: bytes) -> None:
    with engine({}, answer) as stub:
        row, *others = await Exposure(f"{url(stub)}/v1", "vllm", target="edge", options=AT_ONCE).ask()

    assert others == []
    assert (row.target, row.outcome, row.ok, row.value) == ("edge", "clean", 1, 0.0)


async def test_neither_key_nor_body_is_sent() -> None:
    with engine({}) as stub:
        await Exposure(url(stub), "vllm", options=AT_ONCE).audit()
        heads = [transcript.received.lower() for transcript in stub.transcripts(1)]

    assert not [head for head in heads if b"authorization" in head or b"api-key" in head]
    assert all(head.endswith(b"\r\n\r\n") for head in heads)


async def test_a_short_look_asks_for_the_worst_alone() -> None:
    with engine(STUB) as stub:
        audit = await Exposure(url(stub), "sglang", options=Options(per_s=10_000, short=True)).audit()
        asked = log(stub, audit.summary.asked_n + 1)

    assert [line for line in asked if line.startswith("GET")] == ["GET /v1/models", "GET /slots"]
    assert len(asked) == 1 + 2 + 4
    assert [one.path for one in audit.found] == ["/flush_cache"]


async def test_questions_are_a_second_apart_unless_told_otherwise() -> None:
    questions = len(READ) + len(CHANGE) - 1  # /metrics is left out

    assert PER_S == 1.0
    assert Exposure("http://127.0.0.1:1", "").limit_s == (questions + 1) * (1 + WAIT_S)


async def test_nobody_there_is_told_and_not_counted_as_clean() -> None:
    with Endpoint() as gone:
        address = url(gone)
    probe: Probe = Exposure(address, "", options=AT_ONCE)
    asked, failed = await probe.ask(), probe.failed("too slow")

    assert [(row.outcome, row.ok, row.value) for row in results(asked)] == [("unreachable", 0, None)]
    assert results(asked)[0].detail["fault"]
    assert [row.detail["fault"] for row in results(failed)] == ["too slow"]


def results(rows: Sequence[Row]) -> list[ProbeResult]:
    return [row for row in rows if isinstance(row, ProbeResult)]


async def test_an_address_outside_the_policy_is_never_dialled() -> None:
    with engine({}) as stub:
        options = Options(per_s=10_000, policy=PUBLIC)
        (row,) = await Exposure(url(stub), "", options=options).ask()
        assert row.outcome == "unreachable"
        assert stub.transcripts(0) == []


async def test_an_engine_that_falls_silent_is_left_alone() -> None:
    with Endpoint([AwaitToken(), Close()]) as stub:
        stub.enqueue([AwaitToken(), Send(NOT_FOUND), HalfClose()])
        audit = await Exposure(url(stub), "vllm", options=AT_ONCE).audit()
        asked = log(stub, 1 + SILENT_MAX)

    assert audit.summary.fault
    assert len(asked) == 1 + SILENT_MAX


async def test_a_hung_engine_does_not_hang_the_audit() -> None:
    gate = Gate()
    with Endpoint([AwaitToken(), Stall(gate)]) as stub:
        audit = await Exposure(url(stub), "vllm", options=Options(per_s=10_000, wait_s=0.05)).audit()
        gate.open()

    assert audit.summary.fault == "no answer in 0.05 s"
