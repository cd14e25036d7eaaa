import errno
import gc
import resource
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from secure_server import secure_server

from loadtest.answer import AnswerReader
from loadtest.client import OWN_FAULTS, Ask, Client, Exchange, Pump, Tap
from loadtest.line import pumped as by_thread
from loadtest.pump import pumped as by_gevent
from loadtest.target import target
from loadtest.waits import Deadlines, Patience
from telemetry import clock
from telemetry.dialects import RequestShape
from telemetry.meter import StreamMeter
from telemetry.outcome import Outcome, Phase, TtftSource
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitEnd, AwaitToken, Close, Pause, Reset, Send, Stall
from telemetry.testing.wire import Gate, Step

pytestmark = pytest.mark.usefixtures("stamped")

BODY = msgspec.json.encode({"model": "m", "prompt": "p", "stream": True})
SHAPE = RequestShape(api="openai_completions", model="m", stream=True)
ASK = Ask(path="/v1/completions", body=BODY, shape=SHAPE)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
GET = AwaitToken(BODY)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def token(text: bytes, finish: bytes = b"null") -> bytes:
    return chunk(b'data: {"choices":[{"index":0,"text":"%b","finish_reason":%b}]}\n\n' % (text, finish))


END = token(b"b", b'"length"') + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
ANSWER: list[Step] = [GET, Send(HEAD), Send(token(b"a")), Pause(0.02), Send(END)]


class Pumps:
    """What hands bytes over: each test runs once with each."""

    now: Pump = by_thread


@pytest.fixture(params=[by_thread, by_gevent], ids=["blocking", "gevent"], autouse=True)
def pump(request: pytest.FixtureRequest) -> None:
    Pumps.now = request.param


def client_of(endpoint: Endpoint, tap: Tap | None = None, /, **limits: float) -> Client:
    host, port = endpoint.address
    return Client(
        target(f"http://{host}:{port}"),
        (socket.AF_INET, (host, port)),
        deadlines=Deadlines(**limits),
        tap=tap,
        pump=Pumps.now,
    )


def at_a_token(act: Callable[[], object]) -> Tap:
    """Return a tap that acts when a token was read."""

    def tap(data: bytes, at_ns: int) -> None:
        del at_ns
        if b"data:" in data:
            act()

    return tap


def exchanged(script: Sequence[Step], ask: Ask = ASK, /, **limits: float) -> Exchange:
    with Endpoint(script) as endpoint:
        client = client_of(endpoint, **limits)
        seen = client.exchange(ask)
        client.close()
    return seen


def test_an_answer_is_measured_from_the_plan() -> None:
    t_sched_ns, gate = clock.monotonic_ns() - 50_000_000, Gate()

    with Endpoint([GET, Send(HEAD), Send(token(b"a")), Stall(gate), Pause(0.02), Send(END)]) as endpoint:
        client = client_of(endpoint, at_a_token(gate.open))
        result = client.exchange(replace(ASK, t_sched_ns=t_sched_ns)).measured
        client.close()

    assert (Outcome.OK, TtftSource.SCHED, 2) == (result.outcome, result.ttft_source, result.n_arrivals)
    assert result.sched_lag_us is not None
    assert result.ttft_us is not None
    assert result.ttft_service_us is not None
    assert 50_000 <= result.sched_lag_us <= result.ttft_us
    assert abs(result.ttft_us - result.sched_lag_us - result.ttft_service_us) <= 1
    assert result.icl_max_us is not None
    assert result.icl_max_us >= 15_000  # the server rests for 20 ms once the first was read


def test_every_byte_is_counted_and_every_read_has_its_lag() -> None:
    with Endpoint(ANSWER) as endpoint:
        client = client_of(endpoint)
        seen = client.exchange(ASK)
        client.close()
        (transcript,) = endpoint.transcripts(1)

    assert len(transcript.received) == seen.sent_bytes
    assert transcript.sent_bytes == seen.received_bytes
    assert 0 < len(seen.lags_us) == seen.reads
    assert transcript.received.startswith(b"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"Accept-Encoding: identity\r\n" in transcript.received


def test_what_a_server_asks_for_is_handed_on() -> None:
    refusal = b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\ncontent-length: 2\r\n\r\n{}"

    assert 3.0 == exchanged([GET, Send(refusal), AwaitEnd()]).retry_after_s


def test_headers_go_with_every_request() -> None:
    with Endpoint(ANSWER) as endpoint:
        host, port = endpoint.address
        headers = {"Authorization": "Bearer k"}
        client = Client(target(f"http://{host}:{port}"), (socket.AF_INET, (host, port)), headers=headers)
        client.exchange(replace(ASK, headers=b"X-Trace: 1\r\n"))
        client.close()
        (transcript,) = endpoint.transcripts(1)

    head = transcript.received.partition(b"\r\n\r\n")[0].splitlines()
    assert {b"Authorization: Bearer k", b"X-Trace: 1", b"Content-Length: %d" % len(BODY)} <= set(head)


def test_a_connection_is_kept() -> None:
    with Endpoint([*ANSWER, *ANSWER, *ANSWER]) as endpoint:
        client = client_of(endpoint)
        seen = [client.exchange(ASK) for _ in range(3)]
        client.close()
        transcripts = endpoint.transcripts(1)

    assert (1, 1) == (len(transcripts), client.opened)
    assert [False, True, True] == [one.reused for one in seen]
    assert 0 == seen[1].measured.connect_us


@pytest.mark.parametrize("ending", [Close(), Reset()], ids=["closed", "reset"])
def test_a_kept_connection_that_was_closed_is_opened_again_once(ending: Step) -> None:
    with Endpoint(ANSWER) as endpoint:
        endpoint.enqueue([*ANSWER, Pause(0.01), ending])
        client = client_of(endpoint)
        client.exchange(ASK)
        endpoint.transcripts(1)
        seen = client.exchange(ASK)
        client.close()

    assert (Outcome.OK, True, 2) == (seen.measured.outcome, seen.reconnected, client.opened)


def test_a_second_failure_is_the_servers() -> None:
    with Endpoint([Reset()]) as endpoint:
        endpoint.enqueue([*ANSWER, Reset()])
        client = client_of(endpoint)
        client.exchange(ASK)
        endpoint.transcripts(1)
        seen = client.exchange(ASK)

    assert (Outcome.CONNECT_ERROR, True) == (seen.measured.outcome, seen.reconnected)


def test_a_first_connection_is_never_opened_twice() -> None:
    with Endpoint([GET, Reset()]) as endpoint:
        client = client_of(endpoint)
        seen = client.exchange(ASK)

    assert (Outcome.CONNECT_ERROR, False, 1) == (seen.measured.outcome, seen.reconnected, client.opened)


@pytest.mark.parametrize(
    ("script", "limits", "outcome", "phase"),
    [
        pytest.param([GET, Send(HEAD + token(b"a")), Close()], {}, Outcome.STREAM_TRUNCATED, Phase.STREAMING, id="eof"),
        pytest.param(
            [GET, Send(HEAD + token(b"a")), Reset()], {}, Outcome.STREAM_TRUNCATED, Phase.STREAMING, id="reset"
        ),
        pytest.param(
            [GET, Send(HEAD), Stall(Gate())],
            {"first_token_s": 0.1},
            Outcome.TIMEOUT_FIRST_TOKEN,
            Phase.QUEUED,
            id="no token",
        ),
        pytest.param(
            [GET, Send(HEAD + token(b"a")), Stall(Gate())],
            {"stall_s": 0.1},
            Outcome.TIMEOUT_STREAM,
            Phase.STREAMING,
            id="a stall",
        ),
        pytest.param(
            [GET, Send(b"nonsense\r\n\r\n"), AwaitEnd()], {}, Outcome.CONNECT_ERROR, Phase.QUEUED, id="no http"
        ),
        pytest.param(
            [GET, Send(b"HTTP/1.1 429 Too Many\r\ncontent-length: 2\r\n\r\n{}"), AwaitEnd()],
            {},
            Outcome.RATE_LIMITED,
            Phase.QUEUED,
            id="refused",
        ),
    ],
)
def test_every_fate_is_a_class(script: list[Step], limits: dict[str, float], outcome: Outcome, phase: Phase) -> None:
    result = exchanged(script, **limits).measured

    assert (outcome, phase) == (result.outcome, result.phase)


@pytest.mark.parametrize(
    ("limits", "patience", "outcome"),
    [
        pytest.param({"stall_s": 0.1}, Patience(), Outcome.TIMEOUT_STREAM, id="a stall"),
        pytest.param({}, Patience(gap_s=0.1), Outcome.CLIENT_CANCELLED, id="an impatient user"),
    ],
)
def test_a_gap_ends_an_answer_though_its_first_token_had_more_time(
    limits: dict[str, float], patience: Patience, outcome: Outcome
) -> None:
    gate = Gate()

    with Endpoint([GET, Send(HEAD + token(b"a")), Stall(gate), Pause(0.3), Send(END)]) as endpoint:
        client = client_of(endpoint, at_a_token(gate.open), first_token_s=10.0, **limits)
        result = client.exchange(replace(ASK, patience=patience)).measured

    assert (outcome, 1) == (result.outcome, result.n_out_events)


def test_a_deadline_is_the_time_that_it_names() -> None:
    result = exchanged([GET, Stall(Gate())], first_token_s=0.1).measured

    assert abs(result.elapsed_us - 100_000) <= 1


def test_nobody_listens() -> None:
    with Endpoint() as endpoint:
        client = client_of(endpoint)
    seen = client.exchange(ASK)

    assert (Outcome.CONNECT_ERROR, Phase.CONNECT, False) == (
        seen.measured.outcome,
        seen.measured.phase,
        seen.own_fault,
    )


def test_a_bound_of_this_machine_is_our_fault() -> None:
    client = Client(target("http://127.0.0.1:9"), (socket.AF_INET, ("127.0.0.1", 9)))
    taken: list[socket.socket] = []
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            taken.extend(socket.socket() for _ in range(100))
        seen = client.exchange(ASK)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for one in taken:
            one.close()

    assert seen.own_fault
    assert errno.EMFILE in OWN_FAULTS


def test_an_impatient_user_leaves() -> None:
    ask = replace(ASK, t_sched_ns=clock.monotonic_ns(), patience=Patience(visible_s=0.1))

    result = exchanged([GET, Send(HEAD), AwaitEnd()], ask).measured

    assert (Outcome.CLIENT_CANCELLED, Phase.QUEUED) == (result.outcome, result.phase)
    assert abs(result.elapsed_us - 100_000) <= 1


def test_a_user_who_sees_a_token_stays() -> None:
    ask = replace(ASK, t_sched_ns=clock.monotonic_ns(), patience=Patience(visible_s=1.0))
    script: list[Step] = [GET, Send(HEAD + token(b"a")), Pause(1.05), Send(END)]

    assert Outcome.OK == exchanged(script, ask).measured.outcome


def test_a_retry_has_the_whole_patience_and_its_latency_counts_from_the_plan() -> None:
    ask = replace(ASK, t_sched_ns=clock.monotonic_ns() - 60_000_000_000, patience=Patience(visible_s=30.0))

    first, again = (exchanged(ANSWER, replace(ask, is_retry=is_retry)).measured for is_retry in (False, True))

    assert (Outcome.CLIENT_CANCELLED, Outcome.OK) == (first.outcome, again.outcome)
    assert again.ttft_us is not None
    assert again.ttft_us >= 60_000_000


def test_an_abort_is_planned_by_output() -> None:
    seen = exchanged([GET, Send(HEAD + token(b"a") + token(b"b")), AwaitEnd()], replace(ASK, abort_after=2))

    assert (Outcome.CLIENT_CANCELLED, True, 2) == (
        seen.measured.outcome,
        seen.cut_by_plan,
        seen.measured.n_out_events,
    )


def test_what_is_cut_has_run_into_a_deadline() -> None:
    with Endpoint([GET, Send(HEAD + token(b"a")), AwaitEnd()]) as endpoint:
        client = client_of(endpoint, at_a_token(lambda: client.cut()))  # noqa: PLW0108 -- it is not there yet
        seen = client.exchange(ASK)

    assert (Outcome.TIMEOUT_STREAM, Phase.STREAMING) == (seen.measured.outcome, seen.measured.phase)


def test_what_is_cut_begins_nothing_more() -> None:
    with Endpoint([GET, AwaitEnd()]) as endpoint:
        client = client_of(endpoint, first_token_s=0.1)
        client.cut()
        seen = client.exchange(ASK)

    assert (Outcome.TIMEOUT_FIRST_TOKEN, 0) == (seen.measured.outcome, client.opened)


def test_what_is_cut_while_it_connects_sends_nothing(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with secure_server(certificate, greeted=lambda: client.cut()) as (port, _):  # noqa: PLW0108 -- made behind it
        place = (socket.AF_INET, ("127.0.0.1", port))
        client = Client(target(f"https://127.0.0.1:{port}"), place, pump=Pumps.now)
        seen = client.exchange(ASK)

    assert (Outcome.TIMEOUT_FIRST_TOKEN, 0, 1) == (seen.measured.outcome, seen.sent_bytes, client.opened)


def test_no_measurement_outlives_its_exchange() -> None:
    """A worker sends with its garbage collector off: a circle of references would stay to the end of the run."""
    with Endpoint([*ANSWER, *ANSWER]) as endpoint:
        client = client_of(endpoint)
        gc.collect()
        gc.disable()
        try:
            outcomes = [client.exchange(ASK).measured.outcome for _ in range(2)]
            left = sum(isinstance(one, StreamMeter | AnswerReader) for one in gc.get_objects())
        finally:
            gc.enable()
        client.close()

    assert ([Outcome.OK] * 2, 0) == (outcomes, left)


def test_a_tap_sees_each_read() -> None:
    reads: list[bytes] = []

    def tap(data: bytes, at_ns: int) -> None:
        reads.append(data)
        assert at_ns <= clock.monotonic_ns()

    with Endpoint(ANSWER) as endpoint:
        client = client_of(endpoint, tap)
        seen = client.exchange(ASK)
        client.close()

    assert seen.received_bytes == sum(map(len, reads))


def test_tls_is_measured_alike(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = HEAD + token(b"a") + END
    ask = Ask(path="/v1/completions", body=b"", shape=SHAPE)
    with secure_server(certificate, answer) as (port, _):
        place = (socket.AF_INET, ("127.0.0.1", port))
        stranger = Client(target(f"https://127.0.0.1:{port}"), place).exchange(ask)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # what OpenSSL trusts by default
        client = Client(target(f"https://127.0.0.1:{port}"), place, pump=Pumps.now)
        seen = [client.exchange(ask), client.exchange(ask)]
        client.close()

    assert [(Outcome.OK, 2)] * 2 == [(one.measured.outcome, one.measured.n_out_events) for one in seen]
    assert [len(answer)] * 2 == [one.received_bytes for one in seen]
    assert Outcome.CONNECT_ERROR == stranger.measured.outcome
