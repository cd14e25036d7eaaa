"""Engines played on real sockets, with and without what the doctor looks for."""

import socket
from collections.abc import Mapping
from email.utils import formatdate

import pytest
from exposed_engine import KEY_WANTED, engine, log, only, url

from inferometer.config_schema import Config
from inferometer.doctor_finding import Finding, Level
from inferometer.doctor_target import CLOCK_S_MAX, SHOWN_MAX, Looks, examine
from probes.exposure import PER_S
from telemetry.clock import wall_ms

PAGE = b'vllm:num_requests_running{engine="0"} 0.0\n'
BLOCKS = b'vllm:kv_block_lifetime_seconds_count{engine="0"} 0.0\n'
TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":""}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens_details":{"cached_tokens":0}},"metrics":{"queue_time_ms":1}}\n\n'
DONE = b"data: [DONE]\n\n"
QUICK = Looks(exposure=False)


def said(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = b"".join(b"%s\r\n" % header for header in headers)
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, lines, len(body), body)


def vllm(but: str = "", answer: bytes = b"") -> dict[str, bytes]:
    """A vLLM with everything switched on, but for one answer."""
    now = formatdate(wall_ms() / 1000, usegmt=True).encode()
    return {
        "GET /version": said(b'{"version": "0.32.0"}'),
        "GET /v1/models": said(b'{"data": [{"id": "tiny", "owned_by": "vllm"}]}'),
        "GET /health": said(b"", b"Date: " + now, b"X-Request-Id: 1"),
        "GET /metrics": said(PAGE + BLOCKS),
    } | ({but: answer} if but else {})


def looked(answers: Mapping[str, bytes], looks: Looks = QUICK, **target: str) -> tuple[list[Finding], list[str]]:
    with engine(answers) as stub:
        config = Config.model_validate({"target": {"url": url(stub), **target}})
        found = list(examine(config, looks))
        return found, log(stub, 0)


def by_id(found: list[Finding]) -> dict[str, Finding]:
    return {one.id: one for one in found}


def flags(found: list[Finding]) -> list[str]:
    return [one.fix for one in found if one.id == "target.flags" and one.level is Level.NOTE]


def test_an_engine_with_everything_on_has_nothing_to_mend() -> None:
    found, _ = looked(vllm())

    assert {one.level for one in found} == {Level.OK}
    told = by_id(found)
    assert told["target.engine"].finding.startswith("vllm 0.32.0 (")
    assert told["target.engine"].finding.endswith("), models: tiny")
    assert told["target.metrics"].finding == "2 metrics at /metrics"
    assert told["target.flags"].finding == "vllm: nothing is seen to be switched off that could be on"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (vllm("GET /metrics", said(PAGE)), ["start the engine with --kv-cache-metrics"]),
        (vllm("GET /metrics", said(b"", status=b"404 No")), ["start it without --disable-log-stats"]),
        (vllm("GET /metrics", said(b"python_info 1\n")), ["start it without --disable-log-stats"]),
        (vllm("GET /metrics", said(b"", status=b"500 Broken")), []),
        (vllm("GET /health", said(b"")), ["start the engine with --enable-request-id-headers"]),
    ],
)
def test_a_switch_is_named_only_by_what_was_seen(answers: dict[str, bytes], expected: list[str]) -> None:
    assert expected == flags(looked(answers)[0])


@pytest.mark.parametrize(
    ("status", "level"), [(b"404 No", Level.NOTE), (b"501 No", Level.NOTE), (b"500 X", Level.WARN)]
)
def test_a_page_that_is_not_there_is_no_page_that_cannot_be_read(status: bytes, level: Level) -> None:
    assert by_id(looked(vllm("GET /metrics", said(b"", status=status)))[0])["target.metrics"].level is level


@pytest.mark.parametrize(
    ("stream", "level", "expected"),
    [
        (said(TOKEN + USAGE + DONE), Level.OK, []),
        (
            said(TOKEN + DONE),
            Level.OK,
            ["--enable-force-include-usage", "--enable-prompt-tokens-details", "--enable-per-request-metrics"],
        ),
        (said(TOKEN + USAGE), Level.WARN, []),
        (said(USAGE + DONE), Level.WARN, []),
        (said(b"", status=b"503 Busy"), Level.WARN, []),
    ],
)
def test_a_stream_is_asked_for_only_when_told_and_shows_what_is_off(
    stream: bytes, level: Level, expected: list[str]
) -> None:
    found, _ = looked(vllm("POST /v1/chat/completions", stream), Looks(stream=True, exposure=False))

    assert by_id(found)["target.stream"].level is level
    assert [f"start the engine with {flag}" for flag in expected] == flags(found)
    assert "target.stream" not in by_id(looked(vllm())[0])


def test_without_a_model_no_token_is_asked_for() -> None:
    found, _ = looked(vllm("GET /v1/models", KEY_WANTED), Looks(stream=True, exposure=False))

    assert by_id(found)["target.stream"].level is Level.NOTE
    assert "target.api_key_file" in by_id(found)["target.engine"].fix


def test_an_engine_that_is_not_known_is_not_asked_for_its_page_by_us() -> None:
    found, asked = looked({"GET /v1/models": said(b'{"data": [{"id": "x"}]}')})

    assert asked.count("GET /metrics") <= 1  # the last question of detection
    assert by_id(found)["target.flags"].level is Level.NOTE
    assert by_id(found)["target.engine"].finding.startswith("openai-compatible (")


def test_a_trt_llm_s_destructive_page_is_left_alone() -> None:
    found, asked = looked({"GET /v1/models": said(b'{"data": [{"id": "x", "owned_by": "tensorrt_llm"}]}')})

    assert "GET /metrics" not in asked
    assert flags(found)[0].startswith("start the engine with ")


def test_an_engine_that_is_not_well_is_unreachable() -> None:
    found, _ = looked(vllm("GET /health", said(b"", status=b"503 No")))

    assert (by_id(found)["target.reach"].level, by_id(found)["target.reach"].exit_code) == (Level.ERROR, 5)


def test_a_clock_that_is_off_is_a_warning() -> None:
    found, _ = looked(vllm("GET /health", said(b"", b"Date: Thu, 01 Jan 1970 00:00:00 GMT", b"X-Request-Id: 1")))

    assert (by_id(found)["clock.sync"].level, CLOCK_S_MAX) == (Level.WARN, 2)


def test_what_is_open_is_told_and_may_be_left_out() -> None:
    open_ones = {f"OPTIONS /{path}": only("POST") for path in ("pause", "update_weights", "collective_rpc")}
    found, asked = looked(vllm() | open_ones, Looks(per_s=10_000))

    told = by_id(found)["target.exposure"]
    assert told.level is Level.WARN
    assert told.finding.startswith("open to anyone who reaches this port: /pause stops all generation; ")
    assert told.finding.count(";") + 1 == SHOWN_MAX == 3
    assert "inferometer probe exposure http://127.0.0.1:" in told.fix
    assert {line.split(" ")[0] for line in asked} == {"GET", "OPTIONS"}
    assert "target.exposure" not in by_id(looked(vllm())[0])
    assert Looks().per_s == PER_S


def test_nothing_open_is_ok() -> None:
    assert by_id(looked(vllm(), Looks(per_s=10_000))[0])["target.exposure"].level is Level.OK


def test_nobody_and_no_target_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"http://127.0.0.1:{gone.getsockname()[1]}"
    (away,) = examine(Config.model_validate({"target": {"url": address}}), QUICK)
    (none,) = examine(Config(), QUICK)

    assert (away.level, away.exit_code, away.finding) == (Level.ERROR, 5, f"nobody answers at {address}")
    assert (none.level, none.fix) == (Level.NOTE, "--target http://HOST:PORT")
