"""The decoder gives the same events whatever the chunks; cases named by the WHATWG text and by S1 to S9."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.sse import EVENT_BYTES_MAX, Event, SseDecoder

CASES: dict[str, tuple[bytes, list[Event]]] = {
    "WHATWG: one data line": (b"data: This is a message.\n\n", [(b"", b"This is a message.")]),
    "WHATWG: several data lines are joined by LF": (
        b"data: YHOO\ndata: +2\ndata: 10\n\n",
        [(b"", b"YHOO\n+2\n10")],
    ),
    "WHATWG: comment, ids, one space stripped of two": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [(b"", b"first event"), (b"", b"second event"), (b"", b" third event")],
    ),
    "WHATWG: empty data dispatches, a last event without its blank line does not": (
        b"data\n\ndata\ndata\n\ndata:",
        [(b"", b""), (b"", b"\n")],
    ),
    "WHATWG: the space after the colon is optional": (
        b"data:test\n\ndata: test\n\n",
        [(b"", b"test"), (b"", b"test")],
    ),
    "WHATWG: named events": (
        b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n",
        [(b"add", b"73857293"), (b"remove", b"2153")],
    ),
    "S1: CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [(b"", b"a"), (b"", b"b")]),
    "S1: lone CR": (b"data: a\r\rdata: b\r\r", [(b"", b"a"), (b"", b"b")]),
    "S1: mixed line ends": (b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", [(b"", b"a"), (b"", b"b"), (b"", b"c")]),
    "S1: a CR inside the last line of a plain chunk ends it": (b"data: a\rdata: b\n\n", [(b"", b"a\nb")]),
    "S2: U+2028, U+2029 and U+0085 end no line": (
        'data: {"a":"\u2028\u2029\u0085"}\n\n'.encode(),
        [(b"", '{"a":"\u2028\u2029\u0085"}'.encode())],
    ),
    "S2: a BOM at the start is skipped": (b"\xef\xbb\xbfdata: a\n\n", [(b"", b"a")]),
    "S2: a second BOM is not": (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
    "S3: payloads are not stripped": (b"data:  a \n\n", [(b"", b" a ")]),
    "S6: comments are no events": (b": keep-alive\n\n:\n\ndata: a\n: inside\n\n", [(b"", b"a")]),
    "S8: event error without data is evidence": (b"event: error\n\n", [(b"error", b"")]),
    "S8: a field named error": (b'error: {"code":500}\n\n', [(b"error", b'{"code":500}')]),
    "S8: unknown fields are ignored": (b"retry: 10\nfoo: bar\ndata: a\n\n", [(b"", b"a")]),
    "an event name alone dispatches nothing and does not leak": (b"event: add\n\ndata: a\n\n", [(b"", b"a")]),
    "extra blank lines dispatch nothing": (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [(b"", b"a"), (b"", b"b")]),
    "several plain events in one chunk": (
        b"data: a\n\ndata: b\n\ndata: c\n\n",
        [(b"", b"a"), (b"", b"b"), (b"", b"c")],
    ),
    "a plain event beside one of two lines": (b"data: a\n\ndata: b\ndata: c\n\n", [(b"", b"a"), (b"", b"b\nc")]),
}


def decode(chunks: list[bytes], decoder: SseDecoder | None = None) -> list[Event]:
    decoder = decoder or SseDecoder()
    events: list[Event] = []
    for chunk in chunks:
        assert decoder.idle or decoder.single(chunk) is None
        data = decoder.single(chunk)
        events += decoder.feed(chunk) if data is None else [(b"", data)]
    return events


@pytest.mark.parametrize(("stream", "expected"), CASES.values(), ids=CASES.keys())
def test_events_however_the_bytes_come(stream: bytes, expected: list[Event]) -> None:
    whole = decode([stream])
    by_feed_alone = SseDecoder().feed(stream)
    by_byte = decode([stream[i : i + 1] for i in range(len(stream))])
    with_empty_chunks = decode([b"", stream[:3], b"", stream[3:], b""])
    halves = [decode([stream[:i], stream[i:]]) for i in range(len(stream))]

    assert expected == whole == by_feed_alone == by_byte == with_empty_chunks
    assert all(expected == events for events in halves)


@given(
    st.lists(st.sampled_from([b"data: a", b"data:b", b"event: error", b":c", b"", b"\r", b"\n", b"\r\n", b"\n\n"])),
    st.lists(st.integers(0, 200)),
)
def test_any_chunking_gives_the_same_events(parts: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(parts)
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    whole, cut = SseDecoder(), SseDecoder()

    assert decode([stream], whole) == decode(pieces, cut)
    assert whole.finish() == cut.finish()
    assert whole.tail == cut.tail


def test_a_line_ended_by_cr_is_not_held_back_for_a_lf() -> None:
    decoder = SseDecoder()

    assert [(b"", b"a")] == decoder.feed(b"data: a\r\r")
    assert [(b"", b"b")] == decoder.feed(b"\ndata: b\n\n")


@pytest.mark.parametrize(
    ("stream", "events", "tail"),
    [
        (b"data: a\n\n", [], False),
        (b"data: a\n", [(b"", b"a")], True),
        (b"data: a", [(b"", b"a")], True),
        (b"event: error", [(b"error", b"")], True),
        (b": comment", [], False),
        (b"\xef\xbb", [], False),
        (b"", [], False),
    ],
)
def test_a_last_event_without_its_blank_line_comes_at_the_end(stream: bytes, events: list[Event], tail: bool) -> None:
    decoder = SseDecoder()
    decode([stream], decoder)

    assert events == decoder.finish()
    assert tail == decoder.tail


@pytest.mark.parametrize("size", [20, 1])
def test_an_event_at_the_bound_is_kept_and_one_past_it_is_skipped(size: int) -> None:
    kept, skipped = b"data: " + b"x" * 94, b"data: " + b"y" * 95
    stream = b"data: a\n\n" + kept + b"\n\n" + skipped + b"\ndata: more\n\n" + b"data: b\n\n"
    decoder = SseDecoder(event_bytes_max=100)
    events = decode([stream[i : i + size] for i in range(0, len(stream), size)], decoder)

    assert [(b"", b"a"), (b"", b"x" * 94), (b"", b"b")] == events
    assert 1 == decoder.n_oversize


def test_the_bound_holds_on_the_short_ways_too() -> None:
    decoder = SseDecoder(event_bytes_max=100)
    plain = b"data: " + b"x" * 95 + b"\n\n"

    assert [] == decode([plain], decoder)
    assert [(b"", b"a"), (b"", b"b")] == decode([b"data: a\n\n" + plain + b"data: b\n\n"], decoder)
    assert 2 == decoder.n_oversize


def test_lines_count_together_and_comments_do_not_count() -> None:
    decoder = SseDecoder(event_bytes_max=100)
    comments = b": " + b"c" * 90 + b"\n"

    assert [(b"", b"a")] == decode([comments * 5 + b"data: a\n\n"], decoder)
    assert [] == decode([(b"data: " + b"z" * 30 + b"\n") * 3 + b"\n"], decoder)
    assert 1 == decoder.n_oversize


def test_a_skipped_event_without_end_leaves_no_tail() -> None:
    decoder = SseDecoder(event_bytes_max=10)
    decode([b"data: 0123456789\ndata"], decoder)

    assert [] == decoder.finish()
    assert not decoder.tail


def test_the_default_bound_is_ten_mebibytes() -> None:
    decoder = SseDecoder()
    line = b"data: " + b"x" * (EVENT_BYTES_MAX - 6)

    assert [(b"", line[6:])] == decode([line, b"\n\n"], decoder)
    assert [] == decode([line, b"x", b"\n\n"], decoder)
    assert 1 == decoder.n_oversize
