"""Reads that are held and looked at as a group are measured as if each had been looked at when it came."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.answer import PLAIN_CHUNK_BYTES_MAX, AnswerReader
from loadtest.exchange import Ask, Exchange
from loadtest.intake import HELD_MAX, AnswerIntake
from loadtest.line import Read
from loadtest.waits import ENDLESS, Deadlines, Patience, Waits
from telemetry.dialects import RequestShape
from telemetry.meter import StreamMeter
from telemetry.outcome import AbortBy, Outcome

MS = 1_000_000
SHAPE = RequestShape(api="openai_completions", model="m", stream=True)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 1000\r\n\r\n"
LAST = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def token(text: bytes = b"a", finish: bytes = b"null") -> bytes:
    return chunk(b'data: {"choices":[{"index":0,"text":"%b","finish_reason":%b}]}\n\n' % (text, finish))


END = token(b"b", b'"length"') + chunk(b"data: [DONE]\n\n") + LAST


def a_read(data: bytes, at_ns: int, lag_ns: int | None = None) -> Read:
    """Return a read that was stamped so long before it was taken; without a stamp if None."""
    wall, lag = 1_764_000_000_000_000_000, lag_ns or 0
    stamp = struct.pack("@qq", *divmod(wall - lag, 1_000_000_000))
    return data, [] if lag_ns is None else [(1, 35, stamp)], wall, at_ns + lag


class Taken:
    """An intake with what it works on."""

    def __init__(self, ask: Ask | None = None, **limits: float) -> None:
        ask = ask or Ask(path="/", body=b"", shape=SHAPE)
        self.meter, self.seen = StreamMeter(SHAPE), Exchange(issue_ns=0)
        self.meter.begin(0)
        self.meter.connected(0)
        self.meter.sent(0)
        self.kept = bytearray()
        self.reader = AnswerReader(self.meter, self.kept)
        waits = Waits(0, 0, Deadlines(**limits), ask.patience)
        self.intake = AnswerIntake(ask, self.meter, self.reader, self.seen, waits)
        self.intake.peer_ended = lambda: self.reader.closed(self.at_ns)
        self.at_ns = 0
        self.woken: list[int] = []

    def take(self, data: bytes, at_ns: int, lag_ns: int | None = None) -> "Taken":
        self.at_ns = at_ns
        if not self.intake.is_over and self.intake.take(a_read(data, at_ns, lag_ns)):
            self.woken.append(at_ns // MS)
        return self


def by_one(reads: list[tuple[bytes, int]]) -> Taken:
    """Show each read to the reader at once: what is held to."""
    whole = Taken()
    for data, at_ns in reads:
        if whole.reader.complete or whole.reader.faulty:
            break
        whole.seen.reads += 1
        whole.seen.received_bytes += len(data)
        whole.reader.feed(data, at_ns)
        if whole.reader.faulty:
            whole.meter.abort(AbortBy.UPSTREAM, at_ns)
    return whole


pieces = st.one_of(
    st.builds(token, st.sampled_from([b"a", b"bc", b"", b'\\"', b"\xc3\xa9"])),
    st.sampled_from(
        [
            token(b"x", b'"stop"'),
            token(b"a") + token(b"b"),
            chunk(b": keep-alive\n\n"),
            chunk(b'data: {"error":{"code":500}}\n\n'),
            chunk(b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":9}}\n\n'),
            chunk(b"data: {nope\n\n"),
            chunk(b'data: {"choices":[{"text":"a"}]}\r\n\r\n'),
            b"1f;x=y\r\n" + token()[4:],
            b"zz\r\ndata: x\n\n\r\n",
            LAST,
            b"0\r\nx: y\r\n\r\n",
            token(b"c" * PLAIN_CHUNK_BYTES_MAX),
        ]
    ),
    st.binary(max_size=6).map(lambda more: token()[:40] + more),
)


@given(st.lists(pieces, max_size=80), st.lists(st.integers(1, 6000), max_size=6), st.sampled_from([HEAD, SIZED]))
def test_groups_are_measured_as_reads_one_by_one(parts: list[bytes], cuts: list[int], head: bytes) -> None:
    reads = [head, token(), *parts, END]
    for cut in cuts:  # a read ends anywhere
        at = cut % len(reads)
        reads[at : at + 1] = [piece for piece in (reads[at][:cut], reads[at][cut:]) if piece]
    timed = [(data, (number + 1) * MS) for number, data in enumerate(reads)]
    grouped, whole = Taken(), by_one(timed)
    for data, at_ns in timed:
        grouped.take(data, at_ns)
    grouped.intake.settle()

    assert whole.meter.result() == grouped.meter.result()
    assert whole.kept == grouped.kept
    ends = ("complete", "faulty", "keeps_alive", "begun")
    assert [getattr(whole.reader, name) for name in ends] == [getattr(grouped.reader, name) for name in ends]
    assert grouped.intake.is_over == (whole.reader.complete or whole.reader.faulty)


def test_a_group_ends_with_what_is_no_plain_read_and_nobody_is_woken_before_the_end() -> None:
    taken = Taken().take(HEAD, 1 * MS).take(token(), 2 * MS, 500)
    for number in range(3, 3 + 2 * HELD_MAX):
        taken.take(token(), number * MS, number * 1000)
        assert taken.seen.reads == 2 + (number - 2) // HELD_MAX * HELD_MAX
    assert [2] == taken.woken  # the first token brought the deadline nearer
    taken.take(END, 90 * MS)

    assert [2, 90] == taken.woken
    result = taken.meter.result()
    assert (Outcome.OK, 2 + 2 * HELD_MAX, 1000) == (result.outcome, result.n_arrivals, result.icl_p50_us)
    assert [0, *range(3, 3 + 2 * HELD_MAX)] == taken.seen.lags_us


def test_whoever_asks_for_the_deadline_gets_that_of_the_last_read() -> None:
    taken = Taken(stall_s=1.0).take(HEAD, 1 * MS).take(token(), 2 * MS).take(token(), 700 * MS)

    assert 1700 * MS == taken.intake.due_ns()
    assert 3 == taken.seen.reads


def test_a_read_of_a_group_that_came_too_late_ends_the_answer_at_its_deadline() -> None:
    taken = Taken(stall_s=1.0).take(HEAD, 1 * MS).take(token(), 2 * MS)
    for at_ns in (500 * MS, 1501 * MS, 1502 * MS):
        taken.take(token(), at_ns)
    taken.intake.settle()

    result = taken.meter.result()
    assert (Outcome.TIMEOUT_STREAM, 2, 1500 * MS) == (result.outcome, result.n_out_events, result.decided_at_ns)
    assert taken.intake.is_over


def test_an_answer_ends_at_its_deadline_with_what_was_held() -> None:
    taken = Taken(stall_s=1.0).take(HEAD, 1 * MS).take(token(), 2 * MS).take(token(), 3 * MS)
    taken.intake.expire()
    taken.intake.expire()

    result = taken.meter.result()
    assert (Outcome.TIMEOUT_STREAM, 2, 1003 * MS) == (result.outcome, result.n_out_events, result.decided_at_ns)


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(Ask(path="/", body=b"", shape=SHAPE, abort_after=3), id="that is to be cut"),
        pytest.param(Ask(path="/", body=b"", shape=SHAPE, patience=Patience(gap_s=0.01)), id="of an impatient user"),
    ],
)
def test_an_answer_ends_where_it_has_to(ask: Ask) -> None:
    taken = Taken(ask).take(HEAD, 1 * MS).take(token(), 2 * MS).take(token(), 3 * MS)
    taken.take(token(), (4 if ask.patience is ENDLESS else 30) * MS).take(token(), 40 * MS)
    taken.intake.settle()

    expected = (3, 4 * MS) if ask.patience is ENDLESS else (2, 13 * MS)
    result = taken.meter.result()
    assert (Outcome.CLIENT_CANCELLED, *expected) == (result.outcome, result.n_out_events, result.decided_at_ns)


def test_a_user_who_waits_for_a_visible_token_is_looked_after_until_it_came() -> None:
    ask = Ask(path="/", body=b"", shape=SHAPE, patience=Patience(visible_s=0.05))
    taken = Taken(ask).take(HEAD, 1 * MS).take(token(b""), 2 * MS).take(token(b""), 3 * MS)
    assert 50 * MS == taken.intake.due_ns()
    taken.take(token(b"a"), 4 * MS).take(token(b"a"), 5 * MS)

    assert 3 + 1 == taken.seen.reads  # the last is held
    assert taken.intake.due_ns() > 1000 * MS


def test_the_peers_end_is_told_behind_what_was_held() -> None:
    taken = Taken().take(HEAD, 1 * MS).take(token(), 2 * MS).take(token(), 3 * MS).take(b"", 4 * MS)

    result = taken.meter.result()
    assert (Outcome.STREAM_TRUNCATED, 2) == (result.outcome, result.n_out_events)
    assert taken.intake.is_over


def test_a_tap_sees_every_read() -> None:
    taken, seen = Taken(), list[int]()
    taken.intake.tap = lambda data, at_ns: seen.append(at_ns // MS * len(data) // len(data))
    taken.take(HEAD, 1 * MS).take(token(), 2 * MS).take(token(), 3 * MS).take(token(), 4 * MS)
    taken.intake.settle()

    assert [1, 2, 3, 4] == seen
