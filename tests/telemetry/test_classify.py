"""Every row of the taxonomy (spec/measurement.md 9), its precedence and the shapes of errors."""

import pytest

from telemetry.classify import ERROR_TEXT_CHARS_MAX, PRECEDENCE, Evidence, Fault, decide, fault_class, read_fault
from telemetry.events import WORD_CHARS_MAX
from telemetry.outcome import AbortBy, Eligibility, Origin, Outcome, Phase

CHAT = "openai_chat"

SHAPES: dict[str, tuple[object, str, str]] = {
    "vLLM": (
        {"error": {"message": "x", "type": "BadRequestError", "param": None, "code": 400}},
        "BadRequestError",
        "400",
    ),
    "vLLM 401": ({"error": "Unauthorized"}, "", ""),
    "TGI": ({"error": "text", "error_type": "overloaded"}, "overloaded", ""),
    "Anthropic": ({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, "overloaded_error", ""),
    "Google": ({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, "RESOURCE_EXHAUSTED", "429"),
    "Google, a list": ([{"error": {"code": 400, "status": "INVALID_ARGUMENT"}}], "INVALID_ARGUMENT", "400"),
    "FastAPI": ({"detail": "Not Found"}, "", ""),
    "AWS": ({"message": "x", "__type": "ThrottlingException"}, "ThrottlingException", ""),
    "a page": ("<html>502 Bad Gateway</html>", "", ""),
    "an empty list": ([], "", ""),
    "odd types": ({"error": {"type": ["x"], "code": {"a": 1}}}, "", ""),
    "a long word": ({"error": {"type": "T" * 99}}, "T" * WORD_CHARS_MAX, ""),
}

# (HTTP status, error body) -> outcome, for rows that a response head decides
HTTP: dict[str, tuple[int, object, Outcome]] = {
    "400": (400, {}, Outcome.INVALID_REQUEST),
    "405": (405, {"detail": "Method Not Allowed"}, Outcome.INVALID_REQUEST),
    "409": (409, {}, Outcome.INVALID_REQUEST),
    "413": (413, {}, Outcome.INVALID_REQUEST),
    "415": (415, {}, Outcome.INVALID_REQUEST),
    "422": (422, {}, Outcome.INVALID_REQUEST),
    "501": (501, {"error": {"type": "NotImplementedError", "code": 501}}, Outcome.INVALID_REQUEST),
    "418": (418, {}, Outcome.INVALID_REQUEST),
    "400 context code": (400, {"error": {"code": "context_length_exceeded"}}, Outcome.CONTEXT_LENGTH),
    "400 context text": (
        400,
        {"error": {"message": "This model's maximum context length is 2048 tokens.", "code": 400}},
        Outcome.CONTEXT_LENGTH,
    ),
    "413 prompt too long": (413, {"error": {"message": "Prompt is too long"}}, Outcome.CONTEXT_LENGTH),
    "401 vLLM": (401, {"error": "Unauthorized"}, Outcome.AUTH),
    "403": (403, {"error": {"type": "permission_error"}}, Outcome.AUTH),
    "404": (404, {"error": {"type": "NotFoundError", "code": 404}}, Outcome.NOT_FOUND),
    "400 model_not_found": (400, {"error": {"code": "model_not_found"}}, Outcome.NOT_FOUND),
    "429": (429, {"error": {"type": "rate_limit_error", "code": "rate_limit_exceeded"}}, Outcome.RATE_LIMITED),
    "429 tokens": (429, {"error": {"type": "tokens", "message": "Rate limit"}}, Outcome.RATE_LIMITED),
    "402": (402, {}, Outcome.QUOTA_EXHAUSTED),
    "429 quota": (429, {"error": {"code": "insufficient_quota"}}, Outcome.QUOTA_EXHAUSTED),
    "429 quota by type": (429, {"error": {"type": "insufficient_quota"}}, Outcome.QUOTA_EXHAUSTED),
    "400 quota AWS": (400, {"__type": "ServiceQuotaExceededException"}, Outcome.QUOTA_EXHAUSTED),
    "503 vLLM busy": (
        503,
        {"error": {"message": "The engine is currently busy and cannot", "type": "Service Unavailable", "code": 503}},
        Outcome.OVERLOADED,
    ),
    "503 vLLM backlog": (503, {"error": {"message": "its prefill token backlog limit. "}}, Outcome.OVERLOADED),
    "503 Ollama": (503, {"error": "server busy, please try again"}, Outcome.OVERLOADED),
    "529": (529, {"type": "error", "error": {"type": "overloaded_error"}}, Outcome.OVERLOADED),
    "429 TGI": (429, {"error": "Model is overloaded", "error_type": "overloaded"}, Outcome.OVERLOADED),
    "503 engine": (503, {"error": {"type": "ServiceUnavailableError", "code": 503}}, Outcome.OVERLOADED),
    "503 gateway": (503, "no healthy upstream", Outcome.UNAVAILABLE),
    "502": (502, "<html>nginx</html>", Outcome.UNAVAILABLE),
    "504": (504, "", Outcome.UNAVAILABLE),
    "408": (408, "", Outcome.UNAVAILABLE),
    "302": (302, "", Outcome.UNAVAILABLE),
    "429 Bedrock": (429, {"__type": "ModelNotReadyException"}, Outcome.UNAVAILABLE),
    "500 engine dead": (500, {"error": {"message": "EngineCore encountered an issue. See"}}, Outcome.ENGINE_DEAD),
    "500 oom": (500, {"error": {"message": "CUDA out of memory. Tried"}}, Outcome.OOM),
    "500": (500, {"error": {"type": "InternalServerError", "code": 500}}, Outcome.SERVER_ERROR),
    "424": (424, {"error": "x", "error_type": "generation"}, Outcome.SERVER_ERROR),
    "507": (507, {"error": {"type": "never heard of"}}, Outcome.SERVER_ERROR),
    "600": (600, {"error": {"type": "never heard of"}}, Outcome.SERVER_ERROR),
    "400 filter": (400, {"error": {"code": "content_filter"}}, Outcome.CONTENT_FILTERED),
}

# error frame under 200 -> outcome
FRAMES: dict[str, tuple[object, Outcome]] = {
    "case 5: vLLM": ({"error": {"type": "InternalServerError", "code": 500}}, Outcome.STREAM_ERROR),
    "case 5: oom": ({"error": {"message": "CUDA out of memory", "code": 500}}, Outcome.OOM),
    "case 6: SGLang 503": ({"error": {"type": "invalid_request_error", "code": 503}}, Outcome.UNAVAILABLE),
    "case 6: SGLang 400": ({"error": {"type": "invalid_request_error", "code": 400}}, Outcome.INVALID_REQUEST),
    "case 7: Anthropic": ({"type": "error", "error": {"type": "overloaded_error"}}, Outcome.OVERLOADED),
    "a type alone": ({"error": {"type": "authentication_error"}}, Outcome.AUTH),
    "a bare text": ({"error": "boom"}, Outcome.STREAM_ERROR),
    "unknown words": ({"error": {"type": "weird", "code": "odd"}}, Outcome.STREAM_ERROR),
    "rate limit by type": ({"error": {"type": "rate_limit_error"}}, Outcome.RATE_LIMITED),
    "C2: no client fault at 500": ({"error": {"code": 500, "message": "prompt is too long"}}, Outcome.STREAM_ERROR),
}


def evidence(**told: object) -> Evidence:
    usual = {"api": CHAT, "status": 200, "sent": True, "output": True, "terminal": True}
    return Evidence(**(usual | told))  # type: ignore[arg-type] -- a table of keywords


@pytest.mark.parametrize(("error", "kind", "code"), SHAPES.values(), ids=SHAPES.keys())
def test_shapes_of_errors(error: object, kind: str, code: str) -> None:
    fault = read_fault(error)

    assert (kind, code) == (fault.type, fault.code)


def test_an_error_nested_too_deeply_has_no_text() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    assert Fault(structured=True) == read_fault({"detail": deep})


def test_the_text_of_an_error_is_bounded() -> None:
    assert ERROR_TEXT_CHARS_MAX == len(read_fault("x" * (ERROR_TEXT_CHARS_MAX + 1)).text)


@pytest.mark.parametrize(("status", "body", "outcome"), HTTP.values(), ids=HTTP.keys())
def test_an_error_response(status: int, body: object, outcome: Outcome) -> None:
    verdict = decide(evidence(status=status, fault=read_fault(body), output=False))

    assert outcome is verdict.outcome
    assert (0, Phase.QUEUED) == (verdict.in_stream, verdict.phase)


@pytest.mark.parametrize(("frame", "outcome"), FRAMES.values(), ids=FRAMES.keys())
def test_an_error_frame_under_200(frame: object, outcome: Outcome) -> None:
    verdict = decide(evidence(fault=read_fault(frame)))

    assert outcome is verdict.outcome
    assert 1 == verdict.in_stream


CLIENT, UPSTREAM, LOSS = AbortBy.CLIENT, AbortBy.UPSTREAM, AbortBy.LOSS
ENDINGS: dict[str, tuple[Evidence, Outcome, Phase, str]] = {
    "ok": (evidence(finishes=("stop",)), Outcome.OK, Phase.DONE, ""),
    "ok: client closes after the end": (evidence(closed_by=CLIENT), Outcome.OK, Phase.DONE, ""),
    "ok: reset after the end": (evidence(closed_by=UPSTREAM), Outcome.OK, Phase.DONE, ""),
    "ok: frames lost after the end": (evidence(closed_by=LOSS), Outcome.OK, Phase.DONE, ""),
    "ok: an unknown finish is a normal one": (evidence(finishes=("new_word",)), Outcome.OK, Phase.DONE, ""),
    "empty": (evidence(output=False), Outcome.BAD_OUTPUT, Phase.DONE, "empty"),
    "undecodable": (evidence(undecodable=True), Outcome.BAD_OUTPUT, Phase.DONE, "undecodable"),
    "repetition": (evidence(finishes=("repetition",)), Outcome.BAD_OUTPUT, Phase.DONE, ""),
    "filtered": (evidence(finishes=("stop", "content_filter")), Outcome.CONTENT_FILTERED, Phase.DONE, ""),
    "finish error": (evidence(finishes=("error",)), Outcome.STREAM_ERROR, Phase.DONE, ""),
    "finish abort": (evidence(finishes=("abort",)), Outcome.STREAM_TRUNCATED, Phase.DONE, ""),
    "finish abort, the client left": (
        evidence(finishes=("abort",), closed_by=CLIENT),
        Outcome.CLIENT_CANCELLED,
        Phase.DONE,
        "",
    ),
    "truncated": (evidence(terminal=False), Outcome.STREAM_TRUNCATED, Phase.STREAMING, ""),
    "truncated before output": (
        evidence(terminal=False, output=False, closed_by=UPSTREAM),
        Outcome.STREAM_TRUNCATED,
        Phase.QUEUED,
        "",
    ),
    "cancelled": (evidence(terminal=False, closed_by=CLIENT), Outcome.CLIENT_CANCELLED, Phase.STREAMING, ""),
    "cancelled, queued": (
        evidence(terminal=False, output=False, status=0, closed_by=CLIENT),
        Outcome.CLIENT_CANCELLED,
        Phase.QUEUED,
        "",
    ),
    "no connection": (
        evidence(terminal=False, output=False, status=0, sent=False, closed_by=UPSTREAM),
        Outcome.CONNECT_ERROR,
        Phase.CONNECT,
        "",
    ),
    "EOF before the head": (
        evidence(terminal=False, output=False, status=0, closed_by=UPSTREAM),
        Outcome.CONNECT_ERROR,
        Phase.QUEUED,
        "",
    ),
    "first-token deadline": (
        evidence(terminal=False, output=False, closed_by=AbortBy.FIRST_TOKEN_DEADLINE),
        Outcome.TIMEOUT_FIRST_TOKEN,
        Phase.QUEUED,
        "",
    ),
    "total deadline before output": (
        evidence(terminal=False, output=False, closed_by=AbortBy.TOTAL_DEADLINE),
        Outcome.TIMEOUT_FIRST_TOKEN,
        Phase.QUEUED,
        "",
    ),
    "stall deadline": (
        evidence(terminal=False, closed_by=AbortBy.STALL_DEADLINE),
        Outcome.TIMEOUT_STREAM,
        Phase.STREAMING,
        "stall",
    ),
    "total deadline": (
        evidence(terminal=False, closed_by=AbortBy.TOTAL_DEADLINE),
        Outcome.TIMEOUT_STREAM,
        Phase.STREAMING,
        "total",
    ),
    "a deadline after the end": (evidence(closed_by=AbortBy.TOTAL_DEADLINE), Outcome.OK, Phase.DONE, ""),
    "frames lost": (evidence(terminal=False, closed_by=LOSS), Outcome.UNOBSERVED, Phase.STREAMING, ""),
    "frames lost outrank an error frame": (
        evidence(terminal=False, closed_by=LOSS, fault=Fault(code="500")),
        Outcome.UNOBSERVED,
        Phase.STREAMING,
        "500",
    ),
    "an error frame outranks the client": (
        evidence(terminal=False, closed_by=CLIENT, fault=Fault()),
        Outcome.STREAM_ERROR,
        Phase.STREAMING,
        "",
    ),
    "a status outranks the client": (
        evidence(terminal=False, status=503, closed_by=CLIENT),
        Outcome.UNAVAILABLE,
        Phase.QUEUED,
        "",
    ),
    "still open": (evidence(terminal=False, ended=False), Outcome.UNOBSERVED, Phase.STREAMING, ""),
    "plain HTTP redirect": (evidence(api="http", status=304), Outcome.OK, Phase.DONE, ""),
    "plain HTTP upgrade": (evidence(api="http", status=101), Outcome.OK, Phase.DONE, ""),
    "plain HTTP 404": (evidence(api="http", status=404), Outcome.NOT_FOUND, Phase.QUEUED, ""),
}


@pytest.mark.parametrize(("given", "outcome", "phase", "raw_code"), ENDINGS.values(), ids=ENDINGS.keys())
def test_an_ending(given: Evidence, outcome: Outcome, phase: Phase, raw_code: str) -> None:
    verdict = decide(given)

    assert (outcome, phase, raw_code) == (verdict.outcome, verdict.phase, verdict.raw_code)


@pytest.mark.parametrize(
    ("status", "server", "body", "origin"),
    [
        (502, "nginx/1.22", "<html>", Origin.GATEWAY),
        (503, "", "no healthy upstream", Origin.GATEWAY),
        (503, "envoy", None, Origin.GATEWAY),
        (500, "uvicorn", "Internal Server Error", Origin.SERVER),
        (503, "nginx", {"error": {"type": "InternalServerError"}}, Origin.SERVER),
        (503, "", None, Origin.SERVER),
        (400, "nginx", "<html>", Origin.CLIENT),
    ],
)
def test_whose_fault_an_error_response_is(status: int, server: str, body: object, origin: Origin) -> None:
    fault = None if body is None else read_fault(body)

    assert origin is decide(evidence(status=status, server=server, fault=fault)).origin


def test_whose_fault_a_truncation_is() -> None:
    assert Origin.NETWORK is decide(evidence(terminal=False, closed_by=UPSTREAM)).origin
    assert Origin.SERVER is decide(evidence(terminal=False)).origin


def test_how_endings_count() -> None:
    ok, cancelled = decide(evidence()), decide(evidence(terminal=False, closed_by=CLIENT))
    busy = decide(evidence(status=503, output=False))

    assert (Eligibility.GOOD, 0, Origin.NONE) == (ok.eligible, ok.retryable, ok.origin)
    assert (Eligibility.CENSORED, 0, Origin.CLIENT) == (cancelled.eligible, cancelled.retryable, cancelled.origin)
    assert (Eligibility.BAD, 1) == (busy.eligible, busy.retryable)


def test_an_abnormal_finish_is_the_one_that_is_told() -> None:
    assert "content_filter" == decide(evidence(finishes=("stop", "content_filter"))).finish_reason
    assert "stop" == decide(evidence(finishes=("stop", "length"))).finish_reason


def test_a_number_outranks_a_type_and_words_outrank_both() -> None:
    assert Outcome.NOT_FOUND is fault_class(Fault(type="invalid_request_error", code="404", number=404))
    assert Outcome.OVERLOADED is fault_class(Fault(type="overloaded_error", code="500", number=500))


def test_the_order_of_precedence_is_the_one_of_section_9() -> None:
    names = [rule.__name__ for rule in PRECEDENCE]

    assert [
        "_lost",
        "_error_frame",
        "_bad_status",
        "_deadline",
        "_abnormal_finish",
        "_normal_finish",
        "_open",
        "_closed_first",
    ] == names
