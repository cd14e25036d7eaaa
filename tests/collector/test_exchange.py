import gzip
import json
import zlib
from random import Random

import pytest

from collector.exchange import BODIES_BYTES_MAX, BODY_BYTES_MAX, BodyBudget, Exchange, path
from collector.http_heads import Headers, RequestHead, ResponseHead
from collector.labels import UNKNOWN, Labels
from collector.rows import Dimensions, Rows
from telemetry.clock import WallAnchor
from telemetry.outcome import AbortBy, Flag, Outcome, Phase
from telemetry.record import RequestRecord

MS_NS = 1_000_000
TRACEPARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ASKED = b'{"model":"m","stream":true,"messages":[]}'
STREAM: Headers = [(b"content-type", b"text/event-stream")]
EVENTS = (
    b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\ndata: [DONE]\n\n'
)


class Driver:
    """Plays one exchange that begins at 0."""

    def __init__(self, budget: BodyBudget | None = None) -> None:
        self.budget = budget or BodyBudget()
        self.exchange = Exchange(0, engine="vllm", budget=self.budget)
        self.exchange.connected_ns = 0

    def ask(self, body: bytes = ASKED, headers: Headers | None = None, target: str = "/v1/chat/completions") -> None:
        self.exchange.request_head(RequestHead("POST", target, headers or [], asks_upgrade=False))
        self.exchange.request_body(body)
        self.exchange.request_end(MS_NS)

    def answer(self, body: bytes = EVENTS, headers: Headers | None = None) -> None:
        self.exchange.response_head(ResponseHead(200, STREAM + (headers or [])), 5 * MS_NS)
        self.exchange.response_body(body, 8 * MS_NS)
        self.exchange.response_end(9 * MS_NS)

    def record(self) -> RequestRecord:
        rows = Rows(Dimensions(endpoint="e"), Labels(), random=Random(1), anchor=WallAnchor(unix_ms=0, at_ns=0))  # noqa: S311 -- seeded
        return self.exchange.record(rows)


def test_a_streamed_chat_is_measured() -> None:
    driver = Driver()
    driver.ask(headers=[(b"traceparent", TRACEPARENT)])
    driver.answer()

    record = driver.record()

    assert (record.api, record.model, record.outcome, record.stream) == ("openai_chat", "m", Outcome.OK, 1)
    assert (record.connect_us, record.send_us, record.headers_us, record.ttft_us) == (0, 1000, 5000, 8000)
    assert (record.tokens_in, record.tokens_out, record.flags) == (3, 1, 0)
    assert record.trace_id.hex() == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert driver.budget.held_bytes == 0


@pytest.mark.parametrize(
    ("coding", "packed"), [(b"gzip", gzip.compress(EVENTS)), (b"deflate", zlib.compress(EVENTS)), (b"identity", EVENTS)]
)
def test_a_coded_answer_is_read_on_a_copy(coding: bytes, packed: bytes) -> None:
    driver = Driver()
    driver.ask()
    driver.answer(packed, [(b"content-encoding", coding)])

    record = driver.record()

    assert (record.outcome, record.ttft_us, record.tokens_out, record.flags) == (Outcome.OK, 8000, 1, 0)


@pytest.mark.parametrize(
    ("coding", "body"), [pytest.param(b"zstd", b"\x28\xb5", id="unknown"), pytest.param(b"gzip", b"no", id="damaged")]
)
def test_an_answer_that_cannot_be_decoded_is_only_timed(coding: bytes, body: bytes) -> None:
    driver = Driver()
    driver.ask()
    driver.answer(body, [(b"content-encoding", coding)])

    record = driver.record()

    assert record.flags & Flag.OPAQUE_BODY
    assert (record.ttft_us, record.tokens_out, record.http_status) == (None, None, 200)


def test_a_coded_request_names_its_model() -> None:
    driver = Driver()
    driver.ask(gzip.compress(ASKED), [(b"content-encoding", b"gzip")])
    driver.answer()

    assert driver.record().model == "m"


def test_a_request_in_an_unknown_coding_has_an_unknown_model() -> None:
    driver = Driver()
    driver.ask(b"??", [(b"content-encoding", b"zstd")])
    driver.exchange.request_body(b"more")
    driver.answer()

    assert driver.record().model == UNKNOWN


def test_a_request_body_at_the_bound_is_read_and_one_past_it_is_not() -> None:
    start = b'{"model":"m","messages":"'
    fits = start + b"x" * (BODY_BYTES_MAX - len(start) - 2) + b'"}'
    for body, model in ((fits, "m"), (fits + b" ", UNKNOWN)):
        driver = Driver()
        driver.ask(body)
        driver.answer()

        assert driver.record().model == model
        assert driver.budget.held_bytes == 0


def test_bodies_of_all_requests_share_a_bound() -> None:
    budget = BodyBudget()
    budget.held_bytes = BODIES_BYTES_MAX - len(ASKED)
    for body, model in ((ASKED, "m"), (ASKED + b" ", UNKNOWN)):
        driver = Driver(budget)
        driver.ask(body)
        driver.answer()

        assert driver.record().model == model
    assert budget.held_bytes == BODIES_BYTES_MAX - len(ASKED)


def test_an_exchange_that_is_discarded_holds_nothing() -> None:
    driver = Driver()
    driver.exchange.request_body(b"some bytes")
    driver.exchange.discard()

    assert driver.budget.held_bytes == 0


def test_an_answer_before_the_end_of_the_request_is_flagged() -> None:
    driver = Driver()
    driver.exchange.request_head(RequestHead("POST", "/v1/chat/completions", [], asks_upgrade=False))
    driver.exchange.response_head(ResponseHead(413, []), 5 * MS_NS)
    driver.exchange.response_end(6 * MS_NS)

    record = driver.record()

    assert record.flags & Flag.EARLY_RESPONSE
    assert (record.outcome, record.http_status) == (Outcome.INVALID_REQUEST, 413)


def test_a_request_completed_after_the_answer_began_is_flagged() -> None:
    driver = Driver()
    driver.exchange.request_head(RequestHead("POST", "/v1/chat/completions", [], asks_upgrade=False))
    driver.exchange.response_head(ResponseHead(200, []), 5 * MS_NS)
    driver.exchange.request_end(6 * MS_NS)
    driver.exchange.response_end(7 * MS_NS)

    assert driver.record().flags & Flag.EARLY_RESPONSE


def test_an_exchange_without_an_upstream_is_a_connect_error() -> None:
    driver = Driver()
    driver.exchange.connected_ns = None
    driver.ask()
    driver.exchange.abort(AbortBy.UPSTREAM, 4 * MS_NS)

    record = driver.record()

    assert (record.outcome, record.phase, record.connect_us) == (Outcome.CONNECT_ERROR, Phase.CONNECT, None)
    assert record.model == UNKNOWN  # No successful answer has taught the name.


def test_an_end_is_never_before_the_last_byte_seen() -> None:
    driver = Driver()
    driver.ask()
    driver.exchange.response_head(ResponseHead(200, STREAM), 5 * MS_NS)
    driver.exchange.response_body(EVENTS[:60], 8 * MS_NS)
    driver.exchange.abort(AbortBy.CLIENT, 6 * MS_NS)

    record = driver.record()

    assert (record.outcome, record.elapsed_us) == (Outcome.CLIENT_CANCELLED, 8000)
    assert not record.flags & Flag.CLAMPED


def test_a_head_that_never_came_leaves_plain_http() -> None:
    driver = Driver()
    driver.exchange.abort(AbortBy.LOSS, 4 * MS_NS)

    assert (driver.record().api, driver.record().outcome) == ("http", Outcome.UNOBSERVED)


@pytest.mark.parametrize(
    ("target", "expected"),
    [("/a/b?c=d", "/a/b"), ("http://h:1/a/b?c", "/a/b"), ("https://h", "/"), ("*", "*"), ("h:443", "h:443")],
)
def test_the_path_of_a_target(target: str, expected: str) -> None:
    assert path(target) == expected


def test_no_text_is_kept_in_a_row() -> None:
    driver = Driver()
    canary = "canary-5c1f"
    body = json.dumps({"model": "m", "stream": True, "messages": [{"content": canary}], "user": canary})
    driver.ask(body.encode(), [(b"authorization", canary.encode())], f"/v1/chat/completions?key={canary}")
    driver.answer(EVENTS.replace(b"hi", canary.encode()))

    assert canary not in repr(driver.record())


def test_an_exchange_waits_until_its_first_output() -> None:
    driver = Driver()
    driver.ask()
    asked = driver.exchange.is_waiting
    driver.exchange.response_head(ResponseHead(200, STREAM), 2 * MS_NS)
    headed = driver.exchange.is_waiting
    driver.exchange.response_body(EVENTS, 3 * MS_NS)

    assert (asked, headed, driver.exchange.is_waiting) == (True, True, False)
